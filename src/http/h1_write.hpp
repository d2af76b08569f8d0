// Writing HTTP/1.1: heads and chunks are appended to a Buffer. Nothing is ever relayed: every line
// is built from fields, and a field whose name or value could break its line is left out.
// Pure: no socket, no clock, no log. Thread: owner's. Source: RFC 9112 §3-§7.
#pragma once

#include <span>
#include <string_view>

#include "base/buffer.hpp"
#include "http/h1_body.hpp"
#include "http/message.hpp"

namespace portero::http {

struct H1RequestHead {
  std::string_view method;
  std::string_view target;        // origin form
  std::span<const Field> fields;  // with Host and, for an upgrade, Connection and Upgrade
  BodyFraming body;               // writes Content-Length or Transfer-Encoding; none: neither
};

// Appends a request head. Content-Length, Transfer-Encoding, Keep-Alive and Proxy-Connection among
// the fields are not written: the framing comes from `body`.
// Limits: method and target are those of a parsed or checked request.
void encode_request_head(const H1RequestHead& head, Buffer& out);

struct H1ResponseOptions {
  BodyFraming body = {};         // what to announce; `none` and `until_close`: no length at all
  bool close = false;            // "Connection: close"
  bool keep_alive = false;       // "Connection: keep-alive", for clients of HTTP/1.0
  std::string_view date = {};    // written unless the response has a Date; empty: none
  std::string_view server = {};  // written unless the response has a Server; empty: none
};

// Appends the head of a final response. Connection, Keep-Alive, Proxy-Connection, Content-Length
// and Transfer-Encoding among the fields are replaced by what the options say; an Upgrade field
// (426) is named by Connection.
void encode_response_head(const Response& response, const H1ResponseOptions& options, Buffer& out);
// Appends the head that switches protocols (101, or 200 to CONNECT): the handler's own Connection
// and Upgrade fields are written, a length is not. Of the options only date and server count.
void encode_switching_head(const Response& response, const H1ResponseOptions& options, Buffer& out);
// Appends an informational response (1xx but 101).
void encode_interim_head(const Response& response, Buffer& out);

// Appends the line in front of `size` bytes of data. Limits: size > 0.
void encode_chunk_line(std::uint64_t size, Buffer& out);
// Appends a whole chunk. Limits: data is not empty (an empty chunk would end the body).
void encode_chunk(Bytes data, Buffer& out);
// Appends the last chunk with the allowed trailers.
void encode_last_chunk(std::span<const Field> trailers, Buffer& out);

}  // namespace portero::http
