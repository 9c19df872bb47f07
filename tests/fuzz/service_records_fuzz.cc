// needs: io
// Answers of name servers to questions for SRV records: what is accepted has names and ports that
// can be asked for, and no more records than the message has room for.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "io/service_records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = io::parse_service_records({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  CHECK(size >= 17 + 19 * read->records.size());
  CHECK(read->ttl.count() >= 0 && read->ttl.count() < (std::int64_t{1} << 31));
  for (const io::ServiceRecord& record : read->records) {
    CHECK(record.port != 0 && !record.target.empty() && record.target.size() <= 253);
    CHECK(record.target.find_first_of(std::string_view(" /\\\0\n", 5)) == std::string_view::npos);
  }
  return 0;
}
