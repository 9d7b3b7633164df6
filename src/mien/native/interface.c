#include "common.h"

#define INTERFACE 3

MIEN_EXPORT int mien_interface(void);

int mien_interface(void)
{
    return INTERFACE;
}
