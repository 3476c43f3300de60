#include "stages/ingest/ingest.h"

int
main (int argc, char **argv)
{
    return mr_stage_main (argc, argv, &mr_ingest_ops);
}
