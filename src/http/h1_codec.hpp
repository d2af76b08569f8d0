// The HTTP/1.x codec, whole: heads in, bodies in, everything out. Used by the server side
// (h1_connection, h1_exchange) and by the proxy's client.
//
//   Reading a request:                              Reading an answer:
//     H1RequestParser parser;                         H1ResponseParser parser(method);
//     parser.next(in, request, arena)                 parser.next(in, response, arena)
//     H1BodyDecoder body({request.body,               H1BodyDecoder body(parser.framing(),
//                         request.content_length});                      Side::upstream);
//     body.next(in, request.trailers, arena)          body.next(in, response.trailers, arena)
//
// next() says need_more until enough has been appended to `in`.
// Pure: no socket, no clock, no log. Thread: owner's.
#pragma once

#include "http/h1_body.hpp"
#include "http/h1_request_parser.hpp"
#include "http/h1_response_parser.hpp"
#include "http/h1_write.hpp"
