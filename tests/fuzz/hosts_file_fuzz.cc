// needs: io
// Hosts files: any bytes give a table whose names are found, within their bounds, and reading it
// again from what was found gives the same.
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "io/hosts_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const io::HostsTable table = io::HostsTable::parse(text);
  std::string_view rest = text;
  std::string again;
  std::size_t found = 0;
  while (!rest.empty()) {
    // Every word of the file, whether it is a name there or not.
    const std::size_t begin = std::min(rest.find_first_not_of(" \t\r\v\f\n#"), rest.size());
    rest.remove_prefix(begin);
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r\v\f\n#"));
    rest.remove_prefix(word.size());
    const auto* addresses = table.find(base::lower(word));
    if (word.empty() || addresses == nullptr) continue;
    ++found;
    CHECK(!addresses->empty() && addresses->size() <= io::HostsTable::kMaxAddresses);
    for (const base::Address& address : *addresses) {
      CHECK(address.is_ip() && address.port() == 0);
      again += address.ip_text() + " " + std::string(word) + "\n";
    }
  }
  CHECK(found >= table.size());
  const io::HostsTable copy = io::HostsTable::parse(again);
  CHECK(again.size() > io::HostsTable::kMaxFile || copy.size() == table.size());
  return 0;
}
