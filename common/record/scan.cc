#include "common/record/scan.h"

#include <memory>
#include <new>
#include <simdjson.h>

struct mr_scan {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

namespace
{
constexpr size_t first_capacity = 64 * 1024;
constexpr size_t most_bytes = size_t{1} << 30;
constexpr size_t unused_depth = 1; // the second pass is ours
} // namespace

extern "C" mr_status_t
mr_scan_new (mr_scan_t **ret_scan)
{
    std::unique_ptr<mr_scan> self (new (std::nothrow) mr_scan);
    if (self == nullptr) {
        return MR_SYSTEM;
    }
    if (simdjson::get_active_implementation ()->create_dom_parser_implementation (
            first_capacity, unused_depth, self->parser) != simdjson::SUCCESS) {
        return MR_SYSTEM;
    }
    *ret_scan = self.release ();
    return MR_OK;
}

extern "C" void
mr_scan_destroy (mr_scan_t **scan_p)
{
    delete *scan_p;
    *scan_p = nullptr;
}

extern "C" mr_status_t
mr_scan_run (mr_scan_t *self, const char *text, size_t bytes, const uint32_t **ret_starts,
             uint32_t *ret_count)
{
    if (bytes == 0 || bytes > most_bytes) {
        return MR_INVALID;
    }
    if (bytes > self->parser->capacity () &&
        self->parser->set_capacity (bytes) != simdjson::SUCCESS) {
        return MR_SYSTEM;
    }
    if (self->parser->stage1 (reinterpret_cast<const uint8_t *> (text), bytes,
                              simdjson::stage1_mode::regular) != simdjson::SUCCESS) {
        return MR_INVALID;
    }
    *ret_starts = self->parser->structural_indexes.get ();
    *ret_count = self->parser->n_structural_indexes;
    return MR_OK;
}

extern "C" const char *
mr_scan_kernel (void)
{
    static const std::string name = simdjson::get_active_implementation ()->name ();
    return name.c_str ();
}
