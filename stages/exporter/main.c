#include "stages/exporter/exporter.h"

int
main (int argc, char **argv)
{
    return mr_stage_main (argc, argv, &mr_exporter_ops);
}
