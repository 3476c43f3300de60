#include "launcher/supervisor.h"

int
main (int argc, char **argv)
{
    return mr_launcher_main (argc, argv);
}
