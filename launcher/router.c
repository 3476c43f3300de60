#include "launcher/router.h"

#include <stdio.h>

int
mr_router_find (const mr_cli_t *cli, mr_router_t *ret_router)
{
    mr_error_t err;
    *ret_router = (mr_router_t){.max_record = 0};
    if (cli->set[MR_CLI_TO]) {
        if (mr_endpoint_check (cli->values[MR_CLI_TO], &err) != MR_OK) {
            return mr_cli_fail (cli, MR_EXIT_USAGE, "--to: %s", err.text);
        }
        snprintf (ret_router->endpoint, MR_ENDPOINT_BYTES, "%s", cli->values[MR_CLI_TO]);
        return 0;
    }
    mr_plan_t plan;
    mr_config_t *config = NULL;
    int code = mr_cli_load (cli, &config, &plan);
    if (code != 0) {
        return code;
    }
    const mr_config_section_t *ingest = mr_config_section (config, "ingest");
    const mr_config_entry_t *router = mr_config_next (ingest, "router", NULL);
    if (router == NULL) {
        code = mr_cli_fail (cli, MR_EXIT_CONFIG,
                            "%s: [ingest] router: not set; add one (router = ipc://run/router), or "
                            "say --to ENDPOINT",
                            mr_config_file (config));
    } else if (mr_endpoint_for_slot (router->value.text, 0, ret_router->endpoint, MR_ENDPOINT_BYTES,
                                     &err) != MR_OK) {
        code = mr_cli_fail (cli, MR_EXIT_CONFIG, "%s", err.text);
    } else {
        ret_router->max_record = (uint64_t)mr_config_number (ingest, "max_record");
        snprintf (ret_router->data_dir, sizeof ret_router->data_dir, "%s", plan.data_dir);
    }
    mr_config_destroy (&config);
    return code;
}
