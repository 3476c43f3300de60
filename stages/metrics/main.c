#include "stages/metrics/metrics.h"

int
main (int argc, char **argv)
{
    return mr_stage_main (argc, argv, &mr_metrics_ops);
}
