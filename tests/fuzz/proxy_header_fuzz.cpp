// The PROXY header of a load balancer: whatever comes, a header is taken whole or not at all, and
// the same bytes say the same however they are cut.
#include "base/assert.hpp"
#include "net/proxy_header.hpp"

using namespace portero;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const Bytes bytes(reinterpret_cast<const char*>(data), size);
  const Result<net::ParsedProxyHeader> whole = net::parse_proxy_header(bytes);
  if (whole && whole->size != 0) {
    PORTERO_ASSERT(whole->size <= size);
    const Result<net::ParsedProxyHeader> alone =
        net::parse_proxy_header(bytes.substr(0, whole->size));
    PORTERO_ASSERT(alone && alone->size == whole->size);
    PORTERO_ASSERT(alone->peer.has_value() == whole->peer.has_value());
    const Result<net::ParsedProxyHeader> cut =
        net::parse_proxy_header(bytes.substr(0, whole->size - 1));
    PORTERO_ASSERT(cut && cut->size == 0);
  }
  return 0;
}
