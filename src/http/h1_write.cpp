#include "http/h1_write.hpp"

#include <charconv>
#include <cstring>

#include "base/assert.hpp"
#include "http/chars.hpp"

namespace portero::http {
namespace {

constexpr std::size_t number_bytes_max = 20;
// All that a head may hold beside start line and fields: framing, connection, date, server.
constexpr std::size_t fixed_lines_bytes_max = 256;

// Writes into room that was reserved once, so that a head costs one bound check and plain copies.
class Writer {
 public:
  Writer(Buffer& out, std::size_t bytes_max)
      : out_(out), room_(out.prepare(bytes_max)), at_(room_.data()) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    const auto written = static_cast<std::size_t>(at_ - room_.data());
    PORTERO_ASSERT(written <= room_.size());
    out_.commit(written);
  }

  void put(std::string_view text) noexcept {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put_field(std::string_view name, std::string_view value) noexcept {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }
  void put_number(std::uint64_t number, int base = 10) noexcept {
    at_ = std::to_chars(at_, at_ + number_bytes_max, number, base).ptr;
  }

 private:
  Buffer& out_;
  MutableBytes room_;
  char* at_;
};

std::size_t fields_bytes(std::span<const Field> fields) noexcept {
  std::size_t bytes = 0;
  for (const Field& field : fields) bytes += field.name.size() + field.value.size() + 4;
  return bytes;
}

// Handlers and templates fill in fields too; whatever they do, no value starts a line of its own.
bool is_writable(const Field& field) noexcept {
  if (field.clean) return true;
  if (!is_field_value(field.value)) return false;
  return field.id != FieldId::other || is_token(field.name);
}

bool is_framing(FieldId id) noexcept {
  return id == FieldId::content_length || id == FieldId::transfer_encoding ||
         id == FieldId::keep_alive || id == FieldId::proxy_connection;
}

void put_framing(Writer& writer, BodyFraming body) noexcept {
  if (body.kind == BodyKind::length) {
    writer.put("Content-Length: ");
    writer.put_number(body.length);
    writer.put("\r\n");
  } else if (body.kind == BodyKind::chunked) {
    writer.put("Transfer-Encoding: chunked\r\n");
  }
}

void put_status_line(Writer& writer, int status) noexcept {
  if (status == 200) {
    writer.put("HTTP/1.1 200 OK\r\n");
    return;
  }
  writer.put("HTTP/1.1 ");
  writer.put_number(static_cast<std::uint64_t>(status));
  writer.put(" ");
  writer.put(reason_phrase(status));
  writer.put("\r\n");
}

void put_connection(Writer& writer, const H1ResponseOptions& options, bool upgrade) noexcept {
  if (!options.close && !options.keep_alive && !upgrade) return;
  writer.put("Connection: ");
  if (upgrade) writer.put(options.close || options.keep_alive ? "upgrade, " : "upgrade");
  if (options.close) {
    writer.put("close");
  } else if (options.keep_alive) {
    writer.put("keep-alive");
  }
  writer.put("\r\n");
}

struct Written {
  bool date = false;
  bool server = false;
  bool upgrade = false;
};

Written put_response_fields(Writer& writer, const Response& response, bool switching) noexcept {
  Written written;
  for (const Field& field : response.headers) {
    if (is_framing(field.id) || (field.id == FieldId::connection && !switching)) continue;
    if (!is_writable(field)) continue;
    written.date |= field.id == FieldId::date;
    written.server |= field.id == FieldId::server;
    written.upgrade |= field.id == FieldId::upgrade;
    writer.put_field(field.name, field.value);
  }
  return written;
}

void put_own_fields(Writer& writer, const H1ResponseOptions& options,
                    const Written& written) noexcept {
  if (!written.date && !options.date.empty()) writer.put_field("Date", options.date);
  if (!written.server && !options.server.empty()) writer.put_field("Server", options.server);
}

std::size_t response_bytes_max(const Response& response, const H1ResponseOptions& options) {
  return fixed_lines_bytes_max + options.date.size() + options.server.size() +
         fields_bytes(response.headers.all());
}

}  // namespace

void encode_request_head(const H1RequestHead& head, Buffer& out) {
  PORTERO_ASSERT(!head.method.empty() && !head.target.empty());
  Writer writer(out, fixed_lines_bytes_max + head.method.size() + head.target.size() +
                         fields_bytes(head.fields));
  writer.put(head.method);
  writer.put(" ");
  writer.put(head.target);
  writer.put(" HTTP/1.1\r\n");
  for (const Field& field : head.fields) {
    if (!is_framing(field.id) && is_writable(field)) writer.put_field(field.name, field.value);
  }
  put_framing(writer, head.body);
  writer.put("\r\n");
}

void encode_response_head(const Response& response, const H1ResponseOptions& options, Buffer& out) {
  Writer writer(out, response_bytes_max(response, options));
  put_status_line(writer, response.status);
  const Written written = put_response_fields(writer, response, false);
  put_own_fields(writer, options, written);
  put_connection(writer, options, written.upgrade);
  put_framing(writer, options.body);
  writer.put("\r\n");
}

void encode_switching_head(const Response& response, const H1ResponseOptions& options,
                           Buffer& out) {
  Writer writer(out, response_bytes_max(response, options));
  put_status_line(writer, response.status);
  const Written written = put_response_fields(writer, response, true);
  put_own_fields(writer, options, written);
  writer.put("\r\n");
}

void encode_interim_head(const Response& response, Buffer& out) {
  PORTERO_ASSERT(response.status >= 100 && response.status < 200);
  Writer writer(out, response_bytes_max(response, {}));
  put_status_line(writer, response.status);
  put_response_fields(writer, response, false);
  writer.put("\r\n");
}

void encode_chunk_line(std::uint64_t size, Buffer& out) {
  PORTERO_ASSERT(size > 0);
  Writer writer(out, number_bytes_max + 2);
  writer.put_number(size, 16);
  writer.put("\r\n");
}

void encode_chunk(Bytes data, Buffer& out) {
  PORTERO_ASSERT(!data.empty());
  Writer writer(out, number_bytes_max + 4 + data.size());
  writer.put_number(data.size(), 16);
  writer.put("\r\n");
  writer.put(data);
  writer.put("\r\n");
}

void encode_last_chunk(std::span<const Field> trailers, Buffer& out) {
  Writer writer(out, 5 + fields_bytes(trailers));
  writer.put("0\r\n");
  for (const Field& field : trailers) {
    if (is_trailer_allowed(field.id) && is_writable(field)) {
      writer.put_field(field.name, field.value);
    }
  }
  writer.put("\r\n");
}

}  // namespace portero::http
