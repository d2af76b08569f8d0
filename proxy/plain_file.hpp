// Sends a file as it is: what stands beside the scripts of `php`, and what a script names in
// X-Accel-Redirect or X-Sendfile.
// Thread: the worker's.
#pragma once

#include <string>
#include <string_view>

#include "http/exchange.hpp"
#include "proxy/document_root.hpp"

namespace portero::proxy {

// Answers GET and HEAD with a file below the root, 404 when there is none that may be read.
Task<Result<>> serve_plain_file(http::Exchange& exchange, const DocumentRoot& root,
                                std::string_view path);

// Answers with the file that a script has named, below `root` ("" = none is allowed), and with the
// script's own fields in `response`. `path` begins at the root, or is its whole path.
Task<Result<>> serve_named_file(http::Exchange& exchange, http::Response& response,
                                const std::string& root, std::string_view path);

}  // namespace portero::proxy
