#include "tests/support/upper/upper.h"

int
main (int argc, char **argv)
{
    return mr_stage_main (argc, argv, &mr_upper_ops);
}
