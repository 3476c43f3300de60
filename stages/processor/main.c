#include "stages/processor/processor.h"

int
main (int argc, char **argv)
{
    return mr_stage_main (argc, argv, &mr_processor_ops);
}
