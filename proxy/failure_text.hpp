// What a client, and whoever reads over its shoulder, is told when an upstream fails.
// Pure. Thread: any.
#pragma once

#include <string_view>

#include "http/exchange.hpp"
#include "proxy/upstream_pool.hpp"

namespace portero::proxy {

// The status for a failure of an upstream. Units: HTTP status.
int failure_status(Errc code) noexcept;

// One line that names the upstream and what to check; in `arena`.
std::string_view failure_text(const Error& error, const UpstreamPool& pool, Arena& arena);

// Answers with both, and with Retry-After when trying again may help. Errors: those of writing.
Task<Result<>> answer_failure(http::Exchange& exchange, Error error, const UpstreamPool& pool);

// Ends an exchange whose upstream has failed: answers if no answer has begun; else the client gets
// what there was, and sees that it is not all. Errors: of writing, or `error` itself.
Task<Result<>> end_with_failure(http::Exchange& exchange, Error error, const UpstreamPool& pool);

}  // namespace portero::proxy
