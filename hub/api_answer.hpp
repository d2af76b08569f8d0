// What the API answers: always JSON, also for errors, because clients show the body to whoever set
// the application up ("Pusher error: <body>.").
// Thread: any (values).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portero::hub {

struct ApiAnswer {
  int status = 200;
  std::string body = "{}";
  std::string_view allow = {};  // the methods, with 405
  bool close = false;           // a part of the request's body has not been read
};

// {"error":text,"code":status}
ApiAnswer api_error(int status, std::string_view text);

// Collects what is wrong with the fields of a body: 422, as Laravel's validation answers.
class FieldFaults {
 public:
  void add(std::string field, std::string_view text) {
    faults_.emplace_back(std::move(field), text);
  }
  bool empty() const noexcept { return faults_.empty(); }
  // {"error":"data must be …","code":422,"data":["must be …"]}
  ApiAnswer answer() const;

 private:
  std::vector<std::pair<std::string, std::string_view>> faults_;  // texts are constants
};

}  // namespace portero::hub
