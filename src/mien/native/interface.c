#include "common.h"

#ifndef MIEN_INTERFACE
#error "hatch_build.py says which text of kernels.h this is"
#endif

MIEN_EXPORT int mien_interface(void);

int mien_interface(void)
{
    return MIEN_INTERFACE;
}
