// The dotenv half of environment.hpp. The rules are those of the reader that Laravel uses, so that
// both see the same values.

#include <optional>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "conf/environment.hpp"

namespace portero::conf {
namespace {

constexpr bool is_name_char(char c) {
  return c == '_' || c == '.' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9');
}

class DotenvParser {
 public:
  DotenvParser(std::string_view text, const std::string& file, const Environment& environment,
               Problems& problems)
      : text_(text), file_(file), environment_(environment), problems_(problems) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  Variables parse() {
    while (!text_.empty()) {
      const int line = line_;
      if (std::optional<std::string> fault = parse_entry()) {
        problems_.error({{file_, line, 1}, "", std::move(*fault), "KEY=value", "", ""});
        skip_line();
      }
    }
    return std::move(variables_);
  }

 private:
  // Reads one line, or more when a quoted value goes on. Gives what is wrong with it.
  std::optional<std::string> parse_entry() {
    skip_blanks();
    if (at_line_end() || text_.front() == '#') return skip_line();
    if (text_.starts_with("export ") || text_.starts_with("export\t")) {
      text_.remove_prefix(7);
      skip_blanks();
    }
    std::size_t length = 0;
    while (length < text_.size() && is_name_char(text_[length])) ++length;
    const std::string name(text_.substr(0, length));
    text_.remove_prefix(length);
    skip_blanks();
    if (name.empty()) return "this line has no name before `=`";
    if (at_line_end()) return skip_line();  // a name without `=` is not set
    if (text_.front() != '=') return "a name has letters, digits and _ only";
    text_.remove_prefix(1);
    skip_blanks();
    std::string value;
    std::optional<std::string> fault = parse_value(value);
    if (fault) return fault;
    total_ += value.size();
    if (value.size() > expanded_value_bytes_max || total_ > expanded_total_bytes_max) {
      return "with its ${…} filled in this value is too long";
    }
    variables_[name] = std::move(value);
    return std::nullopt;
  }

  std::optional<std::string> parse_value(std::string& value) {
    if (at_line_end()) return skip_line();
    const char quote = text_.front();
    if (quote != '"' && quote != '\'') return parse_unquoted(value);
    text_.remove_prefix(1);
    std::optional<std::string> fault =
        quote == '"' ? parse_double_quoted(value) : parse_single_quoted(value);
    if (fault) return fault;
    skip_blanks();
    if (!at_line_end() && text_.front() != '#') return "text follows the closing quote";
    return skip_line();
  }

  // Ends at the line's end or at a comment, which needs no space before it.
  std::optional<std::string> parse_unquoted(std::string& value) {
    const std::string_view line = text_.substr(0, text_.find_first_of("\r\n#"));
    append_with_references(line, value);
    value = std::string(trim_ows(value));
    return skip_line();
  }

  std::optional<std::string> parse_single_quoted(std::string& value) {
    const std::size_t end = text_.find('\'');
    if (end == std::string_view::npos) return "the quote of this value is not closed";
    value = text_.substr(0, end);
    consume(end + 1);
    return std::nullopt;
  }

  std::optional<std::string> parse_double_quoted(std::string& value) {
    std::size_t begin = 0;
    std::size_t end = 0;
    while (end < text_.size() && text_[end] != '"') {
      if (text_[end] != '\\' || end + 1 >= text_.size()) {
        ++end;
        continue;
      }
      append_with_references(text_.substr(begin, end - begin), value);
      value += unescape(text_[end + 1]);
      end += 2;
      begin = end;
    }
    if (end >= text_.size()) return "the quote of this value is not closed";
    append_with_references(text_.substr(begin, end - begin), value);
    consume(end + 1);
    return std::nullopt;
  }

  static std::string unescape(char c) {
    switch (c) {
      case 'n': return "\n";
      case 'r': return "\r";
      case 't': return "\t";
      case 'f': return "\f";
      case 'v': return "\v";
      case '"':
      case '\\':
      case '$': return std::string(1, c);
      default: return {'\\', c};
    }
  }

  void append_with_references(std::string_view text, std::string& out) const {
    while (!text.empty() && out.size() <= expanded_value_bytes_max) {
      const std::size_t start = text.find("${");
      const std::size_t end = start == std::string_view::npos ? start : text.find('}', start);
      out.append(text.substr(0, end == std::string_view::npos ? end : start));
      if (end == std::string_view::npos) return;
      const std::string* value = find(text.substr(start + 2, end - start - 2));
      out.append(value == nullptr ? text.substr(start, end + 1 - start) : std::string_view(*value));
      text.remove_prefix(end + 1);
    }
  }

  const std::string* find(std::string_view name) const {
    if (const std::string* outer = environment_.find(name); outer != nullptr) return outer;
    const auto own = variables_.find(name);
    return own == variables_.end() ? nullptr : &own->second;
  }

  bool at_line_end() const {
    return text_.empty() || text_.front() == '\n' || text_.starts_with("\r\n");
  }
  void skip_blanks() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t')) {
      text_.remove_prefix(1);
    }
  }
  std::nullopt_t skip_line() {
    const std::size_t end = text_.find('\n');
    consume(end == std::string_view::npos ? text_.size() : end + 1);
    return std::nullopt;
  }
  void consume(std::size_t bytes) {
    for (const char c : text_.substr(0, bytes)) line_ += c == '\n' ? 1 : 0;
    text_.remove_prefix(bytes);
  }

  std::string_view text_;  // the caller's; what is left to read
  const std::string& file_;
  const Environment& environment_;
  Problems& problems_;
  Variables variables_;
  std::size_t total_ = 0;
  int line_ = 1;
};

}  // namespace

Variables parse_dotenv(std::string_view text, const std::string& file,
                       const Environment& environment, Problems& problems) {
  return DotenvParser(text, file, environment, problems).parse();
}

}  // namespace portero::conf
