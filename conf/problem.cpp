#include "conf/problem.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>

namespace portero::conf {
namespace {

constexpr std::size_t shown_line_max = 160;  // characters

// Spaces up to the column, keeping tabs, so that the caret stands below the right character.
std::string caret_padding(std::string_view line, int column) {
  std::string padding;
  const std::size_t end = std::min(line.size(), static_cast<std::size_t>(std::max(column, 1) - 1));
  for (std::size_t i = 0; i < end; ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if ((byte & 0xC0) == 0x80) continue;  // a UTF-8 continuation byte takes no column
    padding += line[i] == '\t' ? '\t' : ' ';
  }
  return padding;
}

}  // namespace

std::string format_problem(const Problem& problem) {
  std::string out = problem.where.file;
  if (problem.where.line > 0) {
    out += fmt::format(":{}:{}", problem.where.line, problem.where.column);
  }
  if (!problem.key_path.empty()) out += ": " + problem.key_path;
  out += (out.empty() ? "" : ": ") + problem.message;
  if (!problem.expected.empty()) out += "; expected " + problem.expected;
  if (!problem.suggestion.empty()) out += fmt::format("; did you mean \"{}\"?", problem.suggestion);
  if (problem.source_line.empty()) return out;
  const std::string number = fmt::format("{:>5} | ", problem.where.line);
  out += fmt::format("\n{}{}", number, problem.source_line.substr(0, shown_line_max));
  if (problem.where.column > static_cast<int>(shown_line_max)) return out;
  out += fmt::format("\n{}| {}^", std::string(number.size() - 2, ' '),
                     caret_padding(problem.source_line, problem.where.column));
  return out;
}

std::string KeyPath::text() const {
  std::string out = parent == nullptr ? std::string() : parent->text();
  if (index >= 0) return out + fmt::format("[{}]", index);
  if (!out.empty() && !name.empty()) out += '.';
  return out.append(name);
}

void Problems::add_file(const std::string& file, std::string_view text) {
  File entry{files_.size(), {}};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    entry.lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  files_.emplace(file, std::move(entry));
}

// Problems end up in logs; the secret of an application must not.
static bool may_hold_secret(const std::string& line) {
  constexpr std::array<std::string_view, 5> words = {"secret", "basic_auth", "password", "hmac",
                                                     "token"};
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return line.find(word) != std::string::npos; });
}

std::vector<Problem> Problems::finish(std::vector<Problem> list) const {
  const auto order = [&](const Problem& p) {
    const auto file = files_.find(p.where.file);
    return file == files_.end() ? files_.size() : file->second.order;
  };
  std::stable_sort(list.begin(), list.end(), [&](const Problem& a, const Problem& b) {
    return std::tuple(order(a), a.where.line, a.where.column) <
           std::tuple(order(b), b.where.line, b.where.column);
  });
  const auto same = [](const Problem& a, const Problem& b) {
    return a.where.file == b.where.file && a.where.line == b.where.line &&
           a.where.column == b.where.column && a.message == b.message;
  };
  list.erase(std::unique(list.begin(), list.end(), same), list.end());
  for (Problem& problem : list) {
    const auto file = files_.find(problem.where.file);
    if (file == files_.end() || problem.where.line < 1) continue;
    const std::vector<std::string>& lines = file->second.lines;
    const auto index = static_cast<std::size_t>(problem.where.line - 1);
    if (index >= lines.size() || problem.is_secret || may_hold_secret(lines[index])) continue;
    problem.source_line = lines[index];
  }
  return list;
}

}  // namespace portero::conf
