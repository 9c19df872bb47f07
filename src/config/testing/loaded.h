// Loaded: what the directives of one feature make of a text, for unit tests. A base of fixtures:
//
//   class RealIp : public ::testing::Test, protected config::testing::Loaded {
//    protected:
//     RealIp() : Loaded(kRealIpFeature) {}
//   };
//   interpret("http { real_ip_header X; server { } }");   EXPECT_THAT(messages(), IsEmpty());
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "config/directive.h"
#include "config/level.h"
#include "config/memory_files.h"
#include "config/tree.h"

namespace config::testing {

class Loaded {
 protected:
  explicit Loaded(const Feature& feature) : feature_(feature) {}

  /// Once. Blocks are http, server and location; files are those in files_.
  void interpret(std::string_view text);

  [[nodiscard]] Level& http() { return *root_.children()[0]; }
  /// The first one.
  [[nodiscard]] Level& server() { return *http().children()[0]; }
  /// All errors and warnings, in their order.
  [[nodiscard]] std::vector<std::string> messages() const;

  MemoryFiles files_;
  Diagnostics diagnostics_;
  Tree tree_;
  Level root_;

 private:
  const Feature& feature_;
};

}  // namespace config::testing
