#include "net/tls_wire.hpp"

#include <openssl/bio.h>

#include "base/assert.hpp"
#include "net/listener.hpp"

namespace portero::net {
namespace {

int read_bio(BIO* bio, char* into, std::size_t size, std::size_t* count) {
  auto* const wire = static_cast<TlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const Result<std::size_t> got = wire->read({into, size});
  if (got) {
    *count = *got;
    return *got == 0 ? 0 : 1;
  }
  if (got.error() == Errc::would_block) BIO_set_retry_read(bio);
  return -1;
}

int write_bio(BIO* bio, const char* bytes, std::size_t size, std::size_t* count) {
  auto* const wire = static_cast<TlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (!wire->write({bytes, size})) return -1;
  *count = size;
  return 1;
}

long control_bio(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  // Flushing is the stream's decision; an end is reported by TlsWire::ended().
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

BIO_METHOD* make_method() {
  BIO_METHOD* const method =
      BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "portero wire");
  PORTERO_ASSERT(method != nullptr);
  BIO_meth_set_read_ex(method, &read_bio);
  BIO_meth_set_write_ex(method, &write_bio);
  BIO_meth_set_ctrl(method, &control_bio);
  return method;
}

}  // namespace

bio_st* TlsWire::make_bio() {
  static const BIO_METHOD* const method = make_method();
  BIO* const bio = BIO_new(method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

Result<std::size_t> TlsWire::read(MutableBytes into) noexcept {
  starved_ = false;
  const Result<std::size_t> got = tcp_->try_read(into);
  if (got) {
    ended_ = *got == 0;
  } else if (got.error() == Errc::would_block) {
    starved_ = true;
  } else {
    failure_ = got.error();
  }
  return got;
}

Result<> TlsWire::write(Bytes ciphertext) noexcept {
  if (failure_.code != Errc::ok) return failure_;
  if (!gathering_ && unsent_.empty()) {
    const Result<std::size_t> sent = tcp_->try_write({&ciphertext, 1});
    if (sent) {
      ciphertext.remove_prefix(*sent);
    } else if (sent.error().code != Errc::would_block) {
      failure_ = sent.error();
      return failure_;
    }
    if (ciphertext.empty()) return {};
    blocked_ = true;
  }
  unsent_.append(ciphertext);
  if (!gathering_) flush();
  if (failure_.code != Errc::ok) return failure_;
  return {};
}

void TlsWire::flush() noexcept {
  while (!unsent_.empty() && !blocked_ && failure_.code == Errc::ok) {
    const Bytes waiting = unsent_.readable();
    const Result<std::size_t> sent = tcp_->try_write({&waiting, 1});
    if (!sent) {
      blocked_ = sent.error() == Errc::would_block;
      if (!blocked_) failure_ = sent.error();
      return;
    }
    blocked_ = *sent < waiting.size();
    unsent_.consume(*sent);
  }
  if (!unsent_.empty()) return;
  unsent_.release();
  if (fin_wanted_) tcp_->shutdown_write();
  fin_wanted_ = false;
}

void TlsWire::on_writable() noexcept {
  if (!blocked_) return;
  blocked_ = false;
  flush();
}

void TlsWire::end() noexcept {
  fin_wanted_ = true;
  flush();
}

SocketAddress TlsWire::local_address() const noexcept { return net::local_address(tcp_->fd()); }

}  // namespace portero::net
