#include "proxy/encoders.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <vector>

#include <brotli/encode.h>

#include "base/assert.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t output_bytes = 16 * 1024;
constexpr std::size_t contexts_max = 8;

// What is done with a piece, and with what is left of it when the output was full.
enum class Step : std::uint8_t { idle, take, flush, finish };

// Feeds a codec piece by piece; the codecs differ in their calls only.
class Encoder : public http::BodyFilter {
 public:
  Result<Output> next(Bytes& piece, http::Last last) final {
    if (step_ == Step::idle) {
      step_ = last == http::Last::yes ? Step::finish : piece.empty() ? Step::flush : Step::take;
    }
    std::size_t written = 0;
    const Progress progress = encode(step_, piece, {output_.data(), output_.size()}, written);
    if (progress == Progress::failed) return Errc::internal;
    const bool done = progress == Progress::done;
    if (done) step_ = Step::idle;
    return Output{Bytes(output_.data(), written), done};
  }

 protected:
  enum class Progress : std::uint8_t { more, done, failed };
  // Takes from the front of `piece` and writes to `room`.
  virtual Progress encode(Step step, Bytes& piece, MutableBytes room, std::size_t& written) = 0;

 private:
  std::array<char, output_bytes> output_;
  Step step_ = Step::idle;
};

// Contexts that nobody uses, of this thread.
template <class Context>
class Spare {
 public:
  static std::unique_ptr<Context> take() {
    std::vector<std::unique_ptr<Context>>& spare = list();
    if (spare.empty()) return std::make_unique<Context>();
    std::unique_ptr<Context> context = std::move(spare.back());
    spare.pop_back();
    return context;
  }
  static void give(std::unique_ptr<Context> context) {
    if (list().size() < contexts_max) list().push_back(std::move(context));
  }

 private:
  static std::vector<std::unique_ptr<Context>>& list() {
    static thread_local std::vector<std::unique_ptr<Context>> spare;
    return spare;
  }
};

// --- gzip ----------------------------------------------------------------------------------------

struct GzipContext {
  GzipContext() = default;
  GzipContext(const GzipContext&) = delete;
  GzipContext& operator=(const GzipContext&) = delete;
  ~GzipContext() {
    if (ready) ::deflateEnd(&stream);
  }
  bool prepare(int wanted) {
    if (ready && level == wanted) return ::deflateReset(&stream) == Z_OK;
    if (ready) ::deflateEnd(&stream);
    stream = z_stream{};
    constexpr int gzip_window_bits = 15 + 16;
    constexpr int memory_level = 8;
    ready = ::deflateInit2(&stream, wanted, Z_DEFLATED, gzip_window_bits, memory_level,
                           Z_DEFAULT_STRATEGY) == Z_OK;
    level = wanted;
    return ready;
  }

  z_stream stream{};
  int level = 0;
  bool ready = false;
};

class GzipEncoder final : public Encoder {
 public:
  explicit GzipEncoder(std::unique_ptr<GzipContext> context) noexcept
      : context_(std::move(context)) {}
  GzipEncoder(const GzipEncoder&) = delete;
  GzipEncoder& operator=(const GzipEncoder&) = delete;
  ~GzipEncoder() override { Spare<GzipContext>::give(std::move(context_)); }

 private:
  Progress encode(Step step, Bytes& piece, MutableBytes room, std::size_t& written) override {
    z_stream& stream = context_->stream;
    const auto taken_max = static_cast<uInt>(std::min<std::size_t>(piece.size(), 1U << 30));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream.avail_in = taken_max;
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = static_cast<uInt>(room.size());
    const bool is_all = taken_max == piece.size();
    const int mode = step == Step::finish && is_all ? Z_FINISH
                     : step == Step::flush          ? Z_SYNC_FLUSH
                                                    : Z_NO_FLUSH;
    const int result = ::deflate(&stream, mode);
    if (result == Z_STREAM_ERROR) return Progress::failed;
    piece.remove_prefix(taken_max - stream.avail_in);
    written = room.size() - stream.avail_out;
    if (step == Step::finish) return result == Z_STREAM_END ? Progress::done : Progress::more;
    return piece.empty() && stream.avail_out != 0 ? Progress::done : Progress::more;
  }

  std::unique_ptr<GzipContext> context_;
};

// --- br ------------------------------------------------------------------------------------------

class BrotliEncoder final : public Encoder {
 public:
  explicit BrotliEncoder(unsigned level)
      : state_(::BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (state_ == nullptr) return;
    constexpr std::uint32_t window_bits = 18;
    ::BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, level);
    ::BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, window_bits);
  }
  BrotliEncoder(const BrotliEncoder&) = delete;
  BrotliEncoder& operator=(const BrotliEncoder&) = delete;
  ~BrotliEncoder() override { ::BrotliEncoderDestroyInstance(state_); }

  bool is_ready() const noexcept { return state_ != nullptr; }

 private:
  Progress encode(Step step, Bytes& piece, MutableBytes room, std::size_t& written) override {
    const BrotliEncoderOperation operation = step == Step::finish  ? BROTLI_OPERATION_FINISH
                                             : step == Step::flush ? BROTLI_OPERATION_FLUSH
                                                                   : BROTLI_OPERATION_PROCESS;
    std::size_t left = piece.size();
    const auto* in = reinterpret_cast<const std::uint8_t*>(piece.data());
    std::size_t room_left = room.size();
    auto* out = reinterpret_cast<std::uint8_t*>(room.data());
    if (::BrotliEncoderCompressStream(state_, operation, &left, &in, &room_left, &out, nullptr) ==
        BROTLI_FALSE) {
      return Progress::failed;
    }
    piece.remove_prefix(piece.size() - left);
    written = room.size() - room_left;
    const bool has_more = ::BrotliEncoderHasMoreOutput(state_) == BROTLI_TRUE;
    if (step == Step::finish) {
      return ::BrotliEncoderIsFinished(state_) == BROTLI_TRUE ? Progress::done : Progress::more;
    }
    return piece.empty() && !has_more ? Progress::done : Progress::more;
  }

  BrotliEncoderState* state_;
};

// --- zstd ----------------------------------------------------------------------------------------

struct ZstdContext {
  ZstdContext() noexcept : stream(::ZSTD_createCCtx()) {}
  ZstdContext(const ZstdContext&) = delete;
  ZstdContext& operator=(const ZstdContext&) = delete;
  ~ZstdContext() { ::ZSTD_freeCCtx(stream); }
  bool prepare(int level) {
    if (stream == nullptr) return false;
    constexpr int window_bits = 18;
    const std::size_t results[] = {
        ::ZSTD_CCtx_reset(stream, ZSTD_reset_session_and_parameters),
        ::ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, level),
        ::ZSTD_CCtx_setParameter(stream, ZSTD_c_windowLog, window_bits),
    };
    return std::none_of(std::begin(results), std::end(results),
                        [](std::size_t result) { return ::ZSTD_isError(result) != 0; });
  }

  ZSTD_CCtx* stream;
};

class ZstdEncoder final : public Encoder {
 public:
  explicit ZstdEncoder(std::unique_ptr<ZstdContext> context) noexcept
      : context_(std::move(context)) {}
  ZstdEncoder(const ZstdEncoder&) = delete;
  ZstdEncoder& operator=(const ZstdEncoder&) = delete;
  ~ZstdEncoder() override { Spare<ZstdContext>::give(std::move(context_)); }

 private:
  Progress encode(Step step, Bytes& piece, MutableBytes room, std::size_t& written) override {
    const ZSTD_EndDirective mode = step == Step::finish  ? ZSTD_e_end
                                   : step == Step::flush ? ZSTD_e_flush
                                                         : ZSTD_e_continue;
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const std::size_t left = ::ZSTD_compressStream2(context_->stream, &out, &in, mode);
    if (::ZSTD_isError(left) != 0) return Progress::failed;
    piece.remove_prefix(in.pos);
    written = out.pos;
    const bool done = step == Step::take ? piece.empty() && out.pos < out.size : left == 0;
    return done ? Progress::done : Progress::more;
  }

  std::unique_ptr<ZstdContext> context_;
};

// Where a level more costs much and brings little.
constexpr unsigned gzip_level_default = 6;
constexpr unsigned br_level_default = 4;
constexpr unsigned zstd_level_default = 3;

}  // namespace

std::unique_ptr<http::BodyFilter> make_encoder(Coding coding, unsigned level) {
  switch (coding) {
    case Coding::gzip: {
      const unsigned wanted = level == 0 ? gzip_level_default : std::min(level, 9U);
      std::unique_ptr<GzipContext> context = Spare<GzipContext>::take();
      if (!context->prepare(static_cast<int>(wanted))) return nullptr;
      return std::make_unique<GzipEncoder>(std::move(context));
    }
    case Coding::br: {
      const unsigned wanted = level == 0 ? br_level_default : std::min(level, 11U);
      auto encoder = std::make_unique<BrotliEncoder>(wanted);
      if (!encoder->is_ready()) return nullptr;
      return encoder;
    }
    case Coding::zstd: {
      std::unique_ptr<ZstdContext> context = Spare<ZstdContext>::take();
      if (!context->prepare(static_cast<int>(level == 0 ? zstd_level_default : level))) {
        return nullptr;
      }
      return std::make_unique<ZstdEncoder>(std::move(context));
    }
  }
  return nullptr;
}

}  // namespace portero::proxy
