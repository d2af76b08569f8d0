// Answers a request with a file: conditions, ranges, validators, and the bytes.
// Thread: the worker's.
#pragma once

#include <string_view>

#include "http/exchange.hpp"
#include "proxy/file_body.hpp"

namespace portero::proxy {

// Answers GET and HEAD with the file, or with 206, 304, 412 or 416 as the request asks; every other
// method with 405. `response` has the fields that go with it; Content-Type, ETag and Last-Modified
// are added where it has none. Errors: of send_head and send_body; internal when the file cannot be
// read.
Task<Result<>> answer_with_file(http::Exchange& exchange, http::Response& response,
                                FilePointer file, NextTurn& next_turn);

// The whole file as the body of `response`, without a look at the request's conditions: for what a
// script has named.
Task<Result<>> send_whole_file(http::Exchange& exchange, http::Response& response, FilePointer file,
                               NextTurn& next_turn);

}  // namespace portero::proxy
