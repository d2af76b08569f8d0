// Result<T>: a value or an Error. The data plane never throws; it returns these.
//
//   Result<Head> head = parse_head(bytes);
//   if (!head) return head.error();
//
// Thread: any. Source of the type: Boost.System (std::expected needs C++23).
#pragma once

#include <string>

#include <boost/system/result.hpp>

#include "base/error.hpp"

namespace portero {

// Called by Boost when value() is asked of an error: that is a broken invariant here.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& at);

template <class T = void>
using Result = boost::system::result<T, Error>;

// A value or a sentence for people that says what is wrong and, where known, what to do. For what
// is set up once (files, listeners), where an Errc says too little; never on the data path.
template <class T = void>
using Explained = boost::system::result<T, std::string>;

}  // namespace portero
