// What nghttp2 calls while it takes bytes in or gives bytes out, and the options of a session.
// Thread: the constants are made once and shared; calls come on the worker of the connection.
// Owner: h2_session.cpp, the only one who includes it.
#pragma once

#include <nghttp2/nghttp2.h>

namespace portero::http {

const nghttp2_session_callbacks* h2_callbacks();
const nghttp2_option* h2_options();
// The data provider's function; its source is the H2Stream.
nghttp2_data_source_read_callback h2_read_callback() noexcept;

}  // namespace portero::http
