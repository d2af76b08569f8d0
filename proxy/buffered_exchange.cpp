#include "proxy/buffered_exchange.hpp"

#include "base/bytes.hpp"

namespace portero::proxy {
namespace {

// What may wait for a slow client; then the upstream waits too.
constexpr std::uint64_t spool_bytes_max = 1024 * 1024 * 1024;

bool wants_stream(const http::Response& response) {
  const auto type = response.headers.value(http::FieldId::content_type);
  if (type &&
      iequals(type->substr(0, std::string_view("text/event-stream").size()), "text/event-stream")) {
    return true;
  }
  const http::Field* const wish = response.headers.find("X-Accel-Buffering");
  return wish != nullptr && iequals(wish->value, "no");
}

}  // namespace

BufferedExchange::BufferedExchange(http::Exchange& client, const std::string& spool_folder)
    : Exchange(client.connection, client.timeouts),
      client_(client),
      spool_(spool_folder, spool_memory_max) {
  request = client.request;
  body_bytes_max = client.body_bytes_max;
  error_pages = client.error_pages;
  error_answer = client.error_answer;
  request_id = client.request_id;
}

Task<Result<>> BufferedExchange::write_head(http::Response& response) {
  is_stream_ = wants_stream(response);
  client_.upstream = upstream;
  co_return co_await client_.send_head(response);
}

Task<Result<>> BufferedExchange::write_body(Bytes piece, http::Last last) {
  if (failed_) co_return error_;
  if (is_stream_) {
    const Result<> sent = co_await client_.send_body(piece, last);
    if (sent && last == http::Last::yes) ended_ = true;
    co_return sent;
  }
  while (spool_.size() >= spool_bytes_max && !failed_) co_await room_;
  if (failed_) co_return error_;
  const Result<> kept = spool_.append(piece);
  if (!kept) co_return kept;
  complete_ = last == http::Last::yes;
  news_.signal();
  if (!sending_ && !ended_) {
    sending_ = true;
    spawn(send_spooled());
  }
  co_return Result<>();
}

// What has been spooled is sent before the break is seen.
void BufferedExchange::reset(Errc why) noexcept {
  if (broken_ == Errc::ok) broken_ = why;
  news_.signal();
  if (!sending_) client_.reset(why);
}

Task<> BufferedExchange::send_spooled() {
  const Result<> sent = co_await send_pieces();
  if (!sent) {
    failed_ = true;
    error_ = sent.error();
  }
  if (broken_ != Errc::ok) client_.reset(broken_);
  ended_ = true;
  sending_ = false;
  room_.signal();
  done_.signal();
}

Task<Result<>> BufferedExchange::send_pieces() {
  for (;;) {
    if (!spool_.empty()) {
      const Result<Bytes> piece = spool_.front();
      if (!piece) co_return piece.error();
      const std::size_t size = piece->size();
      const bool is_last = complete_ && spool_.size() == size;
      const Result<> sent =
          co_await client_.send_body(*piece, is_last ? http::Last::yes : http::Last::no);
      if (!sent || is_last) co_return sent;
      spool_.take(size);
      room_.signal();
      continue;
    }
    if (complete_) co_return co_await client_.send_body({}, http::Last::yes);
    const Result<> flushed = co_await client_.send_body({}, http::Last::no);
    if (!flushed || broken_ != Errc::ok) co_return flushed;
    if (spool_.empty() && !complete_) co_await news_;
  }
}

Task<Result<>> BufferedExchange::finish() {
  while (sending_) co_await done_;
  if (failed_) co_return error_;
  co_return Result<>();
}

}  // namespace portero::proxy
