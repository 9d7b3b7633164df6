/* What the compiled kernels offer. cffi reads these declarations as they stand, so there are no macros here.
 *
 * Pictures are rows of bytes: `stride` is the distance of two rows in bytes. No kernel keeps a pointer, allocates,
 * or reads outside of what its arguments say; callers check shapes first. */

/* Counts up whenever a declaration changes: a library built of older sources is not used. */
int mien_interface(void);
