// The words of forms.hpp, one row for each Form, in its order.

#include <array>

#include "conf/forms.hpp"

namespace portero::conf {
namespace {

constexpr std::string_view duration_pattern = "^(0|([0-9]+(ms|s|m|h|d))+)$";
constexpr std::string_view size_pattern = "^[0-9]+([KMGTkmgt][iI]?)?[Bb]?$";

constexpr std::array<FormInfo, static_cast<std::size_t>(Form::count_)> infos = {{
    {"", "", ""},
    {"a text", "text", ""},
    {"a text", "text", ""},
    {"true or false", "true, false", "", JsonType::boolean},
    {"a whole number", "number", "", JsonType::integer},
    {"a duration such as 30s, 5m, 12h, 7d, 100ms or 1h30m", "duration", duration_pattern},
    {"a size such as 500B, 64KiB, 10MB or 1GiB", "size", size_pattern},
    {"a rate such as 60/min or 100/s", "rate", "^[0-9]+/"},
    {"a number such as 100", "number per …", "^[0-9]+( per .+)?$"},
    {"a percentage such as 20%", "percentage", "^[0-9]+%$"},
    {"an IP address, a network such as 10.0.0.0/8, private, loopback or cloudflare", "network", ""},
    {"an address such as nginx:80, https://host or unix:/run/app.sock", "address", ""},
    {"an address such as unix:/run/php/php8.2-fpm.sock or 127.0.0.1:9000", "address", ""},
    {"an IP address and a port such as 127.0.0.1:9180", "IP:port", ""},
    {"an address of the loopback interface such as 127.0.0.1:8080", "IP:port", ""},
    {"an IP address such as 0.0.0.0 or [::]", "IP address", ""},
    {"a unix socket such as unix:/run/portero/admin.sock", "unix socket", "^unix:"},
    {"a URL such as https://host/path", "URL", "^https?://"},
    {"a method such as GET", "method", ""},
    {"a path such as /api/*", "path pattern", "^[/*]"},
    {"a path such as /api", "path", "^/"},
    {"a host such as example.com or *.example.com", "host pattern", ""},
    {"a name such as X-Frame-Options", "field name", ""},
    {"a text", "text", ""},
    {"a text", "text", ""},
    {"a path such as /new{path}", "path", ""},
    {"a path such as {path}/{index}, or =404", "path", ""},
    {"a path such as {path}, or =404", "path", ""},
    {"a text", "text", ""},
    {"a path or URL such as https://example.com{uri}", "path or URL", "^(/|https?://|\\{)"},
    {"a status such as 200, or a text", "status or text", "", JsonType::string},
    {"a status from 200 to 599", "status", "", JsonType::integer},
    {"one of 301, 302, 303, 307, 308", "status", "", JsonType::integer},
    {"the path of a file", "file", ""},
    {"the path of a folder", "folder", ""},
    {"a path such as sites/*.yaml", "file pattern", ""},
    {"the id of an application: letters, digits, - _ . ~", "id", ""},
    {"letters, digits, - _ . ~", "key", "^[A-Za-z0-9_.~-]+$"},
    {"names such as example.com, *.example.com, http://host or :8080", "names", ""},
    {"statuses such as 502, 503", "statuses", ""},
    {"a regular expression", "regular expression", ""},
    {"permissions such as \"0640\"", "octal", "^[0-7]{3,4}$"},
    {"a field such as client_ip, uri or query.token", "field", ""},
}};

}  // namespace

const FormInfo& form_info(Form form) { return infos[static_cast<std::size_t>(form)]; }

}  // namespace portero::conf
