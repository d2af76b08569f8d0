#include "hub/api_answer.hpp"

#include <iterator>

#include <fmt/format.h>

#include "base/bytes.hpp"

namespace portero::hub {
namespace {

// `{"error":text,"code":status`: more members or the brace may follow.
std::string open_error(int status, std::string_view text) {
  std::string json = "{\"error\":\"";
  append_json_escaped(json, text);
  fmt::format_to(std::back_inserter(json), "\",\"code\":{}", status);
  return json;
}

}  // namespace

ApiAnswer api_error(int status, std::string_view text) {
  ApiAnswer answer;
  answer.status = status;
  answer.body = open_error(status, text);
  answer.body += '}';
  return answer;
}

ApiAnswer FieldFaults::answer() const {
  std::string all;
  std::string members;
  for (const auto& [field, text] : faults_) {
    if (!all.empty()) all += "; ";
    all.append(field).append(1, ' ').append(text);
    members += ",\"";
    append_json_escaped(members, field);
    members.append("\":[\"").append(text).append("\"]");
  }
  ApiAnswer answer;
  answer.status = 422;
  answer.body = open_error(answer.status, all);
  answer.body.append(members).append(1, '}');
  return answer;
}

}  // namespace portero::hub
