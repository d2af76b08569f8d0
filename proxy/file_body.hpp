// The bytes of a file on their way into a response's body: from memory, read and written, or passed
// from the page cache to the client's socket by the kernel (sendfile).
// Thread: the worker's.
#pragma once

#include "http/exchange.hpp"
#include "proxy/byte_ranges.hpp"
#include "proxy/next_turn.hpp"
#include "proxy/open_file.hpp"

namespace portero::proxy {

// What serving files needs of its worker.
struct FileService {
  FileCache& cache;
  NextTurn& next_turn;  // a fast client's large file steps back for the others
};

// Sends a range of the file after the head. `last`: whether the body ends with it.
// Errors: of send_body; internal, with errno, when the file cannot be read; one that has become
// shorter is such (EIO).
Task<Result<>> send_file_bytes(http::Exchange& exchange, const OpenFile& file, ByteRange range,
                               http::Last last, NextTurn& next_turn);

}  // namespace portero::proxy
