#include "monitor/monitor.h"

int
main (int argc, char **argv)
{
    return mr_monitor_main (argc, argv);
}
