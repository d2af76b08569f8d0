// Encoders: body filters that compress as the bytes come. What is flushed can be read by the client
// at once. Contexts are used again, for making one costs more than a small answer.
// Thread: the worker's. Owner: the exchange. Limits: about 0.3 MB (gzip), 1 MB (zstd), 2 MB (br) of
// memory for an answer under way; contexts_max idle contexts of each kind.
#pragma once

#include <memory>

#include "http/exchange.hpp"
#include "proxy/accept_encoding.hpp"

namespace portero::proxy {

// `level`: 0 is the coding's default; more than it has is its most.
// Returns nullptr when there is no memory for it.
std::unique_ptr<http::BodyFilter> make_encoder(Coding coding, unsigned level);

}  // namespace portero::proxy
