// What the parts of conf::Config share.
#pragma once

#include <chrono>
#include <string>

namespace portero::conf {

using Duration = std::chrono::milliseconds;

// Where in the site file a value stood, for errors found after loading.
struct Where {
  std::string file;
  int line = 0;  // from 1; 0 = no place (a default)
  int column = 0;
};

}  // namespace portero::conf
