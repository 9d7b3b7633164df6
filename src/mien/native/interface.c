#include "common.h"

#define INTERFACE 2

MIEN_EXPORT int mien_interface(void);

int mien_interface(void)
{
    return INTERFACE;
}
