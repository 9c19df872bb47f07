#include <span>
#include <string_view>
#include <vector>

#include "cli/cli.h"

int main(int count, char** words) {
  const std::span all(words, static_cast<std::size_t>(count));
  return cli::run(std::vector<std::string_view>(all.begin(), all.end()));
}
