// DnsChannel: questions to name servers, one record type at a time, without cache or policy. Tests
// have one of their own; AresChannel asks by c-ares on its thread's event loop: UDP, again by TCP
// when an answer was cut off, the next server when one fails.
//
// c-ares checks that an answer has the query's id, comes from the server that was asked and repeats
// the question; anything else is dropped as if it had never come. It follows the CNAMEs inside an
// answer.
//
// The system's name servers are those of resolv.conf. The file is looked at at most once a second,
// when a question is asked; when it has changed, questions under way are asked again of the new
// servers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "io/event_loop.h"
#include "io/hosts_file.h"
#include "io/service_records.h"

namespace io {

struct DnsAnswer {
  /// empty: the name exists, without such a record (NODATA). failure: nobody said anything that
  /// counts.
  /// records: of the type that was asked for.
  enum class Kind : std::uint8_t { records, empty, no_such_name, failure };
  Kind kind = Kind::failure;
  // One of both is not empty for Kind::records.
  std::vector<base::Address> addresses{};  // port 0
  std::vector<ServiceRecord> services{};
  std::chrono::seconds ttl{};  // as the server said, the least of the records'
  base::Error error{};  // for all but Kind::records
};

class DnsChannel {
 public:
  /// Who asked. It must stay until it is answered; one whose channel is destroyed never is.
  class Question {
   public:
    virtual void on_answer(DnsAnswer answer) noexcept = 0;

   protected:
    ~Question() = default;
  };
  virtual ~DnsChannel() = default;

  /// `name` is taken as absolute. The answer may come before ask() returns.
  virtual void ask(std::string name, int family, Question& question) = 0;
  /// The same for its SRV records.
  virtual void ask_service(std::string name, Question& question) = 0;

  /// The `search` list of resolv.conf and its `ndots`.
  struct Search {
    std::vector<std::string> domains{};
    int ndots = 1;
  };
  [[nodiscard]] virtual const Search& search() = 0;
  /// Asks these from now on.
  virtual void set_servers(std::vector<base::Address> servers) = 0;
};

class AresChannel final : public DnsChannel {
 public:
  struct Options {
    std::vector<base::Address> servers;  // none: those of `resolv_conf`
    std::string resolv_conf;  // empty: the system's
    std::uint16_t resolv_conf_port = 53;  // resolv.conf has none; tests have another
    std::chrono::milliseconds query_timeout{2000};  // of the first try; later ones wait longer
    int tries = 2;  // per server
  };
  /// `loop` outlives it.
  AresChannel(EventLoop& loop, Options options);
  ~AresChannel() override;
  AresChannel(const AresChannel&) = delete;
  AresChannel& operator=(const AresChannel&) = delete;

  void ask(std::string name, int family, Question& question) override;
  void ask_service(std::string name, Question& question) override;
  [[nodiscard]] const Search& search() override;
  void set_servers(std::vector<base::Address> servers) override;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace io
