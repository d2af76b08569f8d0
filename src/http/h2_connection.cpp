#include "http/h2_connection.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "http/h2_session.hpp"
#include "http/h2_stream_bytes.hpp"

namespace portero::http {
namespace {

constexpr std::size_t read_bytes = 16 * 1024;
// A client that sends without a pause gets its answers all the same: after that many bytes what is
// there to be sent is sent.
constexpr std::size_t read_bytes_per_flush = 128 * 1024;
// When the client does not answer the PING that follows the first GOAWAY.
constexpr Milliseconds drain_notice_time{1'000};
// After GOAWAY the client may still be sending; closing at once would make the kernel answer with a
// reset, which can overtake GOAWAY.
constexpr std::size_t lingering_bytes_max = 1024 * 1024;
constexpr Milliseconds lingering_time_max{2'000};

class H2Connection {
 public:
  H2Connection(H2Context& context, Buffer& input) noexcept
      : context_(context),
        input_(input),
        flush_([](void* self) { static_cast<H2Connection*>(self)->flush(); }, this),
        session_(context, flush_),
        head_timer_(&on_head_timeout, this),
        idle_timer_(&on_idle_check, this),
        drain_timer_([](void* self) { static_cast<H2Connection*>(self)->session_.finish_drain(); },
                     this),
        write_deadline_(context.stream),
        idle_time_(context.timeouts.idle) {}

  Task<> run();

 private:
  Task<Result<>> fill();
  Result<> take_in();
  void watch_head();
  void log_refusal(const Error& error) const;
  void start_ready();
  Task<> serve_stream(std::unique_ptr<H2Exchange> exchange);
  Task<> run_tunnel(std::unique_ptr<Session> session, std::unique_ptr<H2Stream> stream);
  void set_idle_time(Milliseconds time);
  void on_stream_end();

  void flush();
  Errc write_output();
  Task<> write_when_possible();
  void begin_drain();
  Task<> close(Errc why);
  Task<> linger();

  static void on_head_timeout(void* self);
  static void on_idle_check(void* self);

  H2Context& context_;
  Buffer& input_;
  Buffer output_;
  TurnEnd flush_;
  H2Session session_;
  std::size_t read_since_flush_ = 0;
  std::uint64_t watched_head_ = 0;
  std::size_t serving_ = 0;  // coroutines of streams, tunnels included
  bool writing_ = false;     // write_when_possible() is under way
  Errc write_failure_ = Errc::ok;
  std::int64_t last_stream_ms_ = coarse_clock().monotonic_ms;  // when the last one ended
  WaitPoint stream_ended_;
  WaitPoint written_;
  Timer head_timer_;
  Timer idle_timer_;
  Timer drain_timer_;
  net::Deadline write_deadline_;
  Milliseconds idle_time_;          // of the site that was asked last
  bool refusing_ = false;           // the client has been told that it is sent away
  bool answered_in_drain_ = false;  // the last answers may not have been read yet
};

Task<> H2Connection::run() {
  idle_timer_.arm(context_.timers, idle_time_);
  head_timer_.arm(context_.timers, context_.timeouts.header);
  Result<> going_on;
  if (!input_.empty()) going_on = take_in();
  while (going_on) {
    going_on = co_await fill();
    if (going_on) going_on = take_in();
  }
  co_await close(going_on.error().code);
}

// --- reading -------------------------------------------------------------------------------------

// Reads at least one byte into the input. Errors: end_of_stream (also the orderly end), cancelled
// when the session has nothing more to say or hear, as ByteStream::try_read.
Task<Result<>> H2Connection::fill() {
  for (;;) {
    if (!session_.alive()) co_return Errc::cancelled;
    if (context_.service.draining()) begin_drain();
    const Result<std::size_t> got = context_.stream.try_read(input_.prepare(read_bytes));
    if (got && *got == 0) co_return Errc::end_of_stream;
    if (got) {
      input_.commit(*got);
      co_return Result<>();
    }
    if (got.error().code != Errc::would_block) co_return got.error();
    read_since_flush_ = 0;
    input_.release();
    co_await context_.stream.readable();
  }
}

Result<> H2Connection::take_in() {
  const Result<> fed = session_.feed(input_.readable());
  read_since_flush_ += input_.size();
  input_.clear();
  if (!fed) {
    log_refusal(fed.error());
    return fed;
  }
  watch_head();
  start_ready();
  if (read_since_flush_ >= read_bytes_per_flush) {
    read_since_flush_ = 0;
    flush();
  }
  return {};
}

// A header block has one deadline for all of it, not one for each read.
void H2Connection::watch_head() {
  if (!session_.head_pending()) {
    head_timer_.disarm();
  } else if (!head_timer_.armed() || watched_head_ != session_.head_count()) {
    watched_head_ = session_.head_count();
    head_timer_.arm(context_.timers, context_.timeouts.header);
  }
}

void H2Connection::log_refusal(const Error& error) const {
  const ErrorInfo& info = error.info();
  if (!log::enabled(info.level)) return;
  log::write(info.level, "h2.connection_refused",
             {log::kv("client", context_.info.peer.to_string()), log::kv("error", error)});
}

void H2Connection::on_head_timeout(void* self) {
  static_cast<H2Connection*>(self)->session_.terminate(H2Goodbye::slow_head);
}

// Re-armed only here, so that a request costs no timer.
void H2Connection::on_idle_check(void* self) {
  auto* const connection = static_cast<H2Connection*>(self);
  const Milliseconds idle_max = connection->idle_time_;
  const Milliseconds idle(coarse_clock().monotonic_ms - connection->last_stream_ms_);
  if (connection->serving_ != 0) {
    connection->idle_timer_.arm(connection->context_.timers, idle_max);
  } else if (idle < idle_max) {
    connection->idle_timer_.arm(connection->context_.timers, idle_max - idle);
  } else {
    connection->session_.terminate(H2Goodbye::idle);
  }
}

void H2Connection::begin_drain() {
  if (session_.draining()) return;
  session_.begin_drain();
  drain_timer_.arm(context_.timers, drain_notice_time);
}

// --- streams -------------------------------------------------------------------------------------

// A stream that was cancelled in the same breath is never served: a client that opens and resets
// streams costs no request to an upstream. Source: CVE-2023-44487.
void H2Connection::start_ready() {
  std::vector<std::unique_ptr<H2Exchange>>& ready = session_.ready();
  for (std::unique_ptr<H2Exchange>& exchange : ready) {
    if (exchange->client_gone()) continue;
    ++serving_;
    spawn(serve_stream(std::move(exchange)));
  }
  ready.clear();
}

Task<> H2Connection::serve_stream(std::unique_ptr<H2Exchange> exchange) {
  if (exchange->is_refused()) {
    co_await exchange->refuse();
  } else {
    co_await context_.service.serve(*exchange);
    set_idle_time(exchange->timeouts.idle);
  }
  co_await exchange->finish();
  std::unique_ptr<Session> session = std::move(exchange->takeover);
  std::unique_ptr<H2Stream> stream = exchange->release_stream();
  exchange.reset();
  if (session && stream) co_await run_tunnel(std::move(session), std::move(stream));
  stream.reset();
  on_stream_end();
}

// What the tunnel has left to be sent leaves before its stream ends.
Task<> H2Connection::run_tunnel(std::unique_ptr<Session> session,
                                std::unique_ptr<H2Stream> stream) {
  co_await session->run(std::make_unique<H2StreamBytes>(*stream), std::string());
  session.reset();
  if (stream->output_done()) co_return;
  stream->watch_output();
  while (!stream->output_done()) co_await stream->writable();
}

void H2Connection::set_idle_time(Milliseconds time) {
  if (time == idle_time_) return;
  idle_time_ = time;
  if (idle_timer_.armed()) idle_timer_.arm(context_.timers, time);
}

void H2Connection::on_stream_end() {
  PORTERO_ASSERT(serving_ > 0);
  --serving_;
  last_stream_ms_ = coarse_clock().monotonic_ms;
  answered_in_drain_ = answered_in_drain_ || session_.draining();
  stream_ended_.signal();
}

// --- writing -------------------------------------------------------------------------------------

// Writes all there is, or as much as the stream takes. Runs at the end of each turn in which
// something was submitted, and when a blocked stream takes more.
void H2Connection::flush() {
  if (write_failure_ != Errc::ok) return;
  const Errc written = write_output();
  if (written == Errc::would_block) {
    if (!writing_) {
      writing_ = true;
      spawn(write_when_possible());
    }
    return;
  }
  write_failure_ = written;
  output_.release();
  written_.signal();
  // The reader ends the connection when there is nothing left to be done.
  if (written != Errc::ok || !session_.alive()) context_.stream.readable().signal();
}

Errc H2Connection::write_output() {
  for (;;) {
    if (output_.size() < H2Session::output_bytes_max) session_.collect(output_);
    if (output_.empty()) return Errc::ok;
    const Bytes parts[] = {output_.readable()};
    const Result<std::size_t> written = context_.stream.try_write(parts);
    if (!written) return written.error().code;
    output_.consume(*written);
    if (writing_ && !refusing_)
      write_deadline_.arm(context_.timers, context_.timeouts.write, Errc::timeout_write);
  }
}

Task<> H2Connection::write_when_possible() {
  write_deadline_.arm(context_.timers, context_.timeouts.write, Errc::timeout_write);
  while (!output_.empty() && write_failure_ == Errc::ok) {
    co_await context_.stream.writable();
    flush();
  }
  write_deadline_.disarm();
  writing_ = false;
  written_.signal();
}

// --- the end -------------------------------------------------------------------------------------

// `why` is how the reading ended: cancelled or a violation leaves a client that is to be told.
Task<> H2Connection::close(Errc why) {
  idle_timer_.disarm();
  head_timer_.disarm();
  input_.release();
  const bool client_left =
      why != Errc::cancelled && why != Errc::flood && why != Errc::http2_protocol;
  session_.fail_streams(client_left ? why : Errc::connection_reset);
  flush_.cancel();
  if (client_left) write_failure_ = why;
  flush();
  // A client that is sent away is not waited for as one that reads an answer is.
  refusing_ = why == Errc::flood || why == Errc::http2_protocol;
  if (writing_ && refusing_) {
    write_deadline_.arm(context_.timers, lingering_time_max, Errc::timeout_write);
  }
  while (writing_) {
    if (client_left) context_.stream.cancel(why);
    co_await written_;
  }
  if (write_failure_ == Errc::ok) co_await linger();
  write_failure_ = Errc::cancelled;
  while (serving_ > 0) co_await stream_ended_;
  drain_timer_.disarm();
  flush_.cancel();
}

// A client that has been told to go closes the connection when it has read its last answer; ending
// our side earlier makes some (node, for one) drop what they have not read.
Task<> H2Connection::linger() {
  const bool client_closes = answered_in_drain_;
  if (!client_closes) context_.stream.shutdown_write();
  net::Deadline deadline(context_.stream);
  deadline.arm(context_.timers, lingering_time_max, Errc::timeout_idle);
  for (std::size_t discarded = 0; discarded < lingering_bytes_max;) {
    const Result<std::size_t> got = context_.stream.try_read(input_.prepare(read_bytes));
    input_.release();
    if (got && *got == 0) break;
    if (got) {
      discarded += *got;
    } else if (got.error().code == Errc::would_block) {
      co_await context_.stream.readable();
    } else {
      break;
    }
  }
  if (client_closes) context_.stream.shutdown_write();
}

}  // namespace

Task<> serve_h2(H2Context& context, Buffer& input) {
  H2Connection connection(context, input);
  co_await connection.run();
}

}  // namespace portero::http
