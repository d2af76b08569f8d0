#include "proxy/accept_encoding.hpp"

#include "base/bytes.hpp"

namespace portero::proxy {
namespace {

constexpr std::array<std::string_view, codings> names = {"gzip", "br", "zstd"};

// "q=0.5" → 500. What is none counts as 0: a client that cannot say what it wants gets what every
// client understands.
unsigned quality_of(std::string_view parameters) noexcept {
  if (parameters.empty()) return 1000;
  parameters = trim_ows(parameters);
  if (!parameters.starts_with("q=") && !parameters.starts_with("Q=")) return 1000;
  const std::string_view number = parameters.substr(2);
  const std::string_view whole = number.substr(0, 1);
  if (whole != "0" && whole != "1") return 0;
  if (number.size() == 1) return whole == "1" ? 1000 : 0;
  const std::string_view digits = number.substr(2);
  const std::optional<std::uint64_t> fraction = parse_decimal(digits);
  if (number[1] != '.' || digits.size() > 3 || (!digits.empty() && !fraction)) return 0;
  if (whole == "1") return 1000;
  unsigned thousandths = static_cast<unsigned>(fraction.value_or(0));
  for (std::size_t i = digits.size(); i < 3; ++i) thousandths *= 10;
  return thousandths;
}

}  // namespace

std::string_view coding_name(Coding coding) noexcept {
  return names[static_cast<std::size_t>(coding)];
}

std::optional<Coding> parse_coding(std::string_view name) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (iequals(name, names[i])) return static_cast<Coding>(i);
  }
  return std::nullopt;
}

AcceptedCodings::AcceptedCodings(const http::HeaderList& fields) noexcept {
  std::optional<unsigned> rest;  // of "*"
  std::array<bool, codings> named{};
  for (const http::Field& field : fields) {
    if (field.id != http::FieldId::accept_encoding) continue;
    for_each_list_element(field.value, [&](std::string_view element) {
      const std::size_t mark = element.find(';');
      const std::string_view name = trim_ows(element.substr(0, mark));
      const unsigned quality = quality_of(
          mark == std::string_view::npos ? std::string_view() : element.substr(mark + 1));
      if (name == "*") rest = quality;
      if (const std::optional<Coding> coding = parse_coding(name)) {
        quality_[static_cast<std::size_t>(*coding)] = quality;
        named[static_cast<std::size_t>(*coding)] = true;
      }
      return true;
    });
  }
  for (std::size_t i = 0; rest && i < codings; ++i) {
    if (!named[i]) quality_[i] = *rest;
  }
}

std::optional<Coding> AcceptedCodings::choose(std::span<const Coding> offered) const noexcept {
  std::optional<Coding> best;
  for (const Coding coding : offered) {
    if (quality(coding) > (best ? quality(*best) : 0)) best = coding;
  }
  return best;
}

}  // namespace portero::proxy
