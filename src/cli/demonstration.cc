#include "cli/demonstration.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "cli/demonstration_backend.h"
#include "cli/development_files.h"
#include "io/socket.h"
#include "server/supervise.h"

namespace cli {
namespace {

// What the demonstration's certificate is for.
const std::array<std::string, 3> kNames{"localhost", "127.0.0.1", "::1"};

struct Backend {
  pid_t pid = 0;
  std::uint16_t port = 0;
};

base::Result<Backend> start_backend() {
  TRY(const auto listener, io::open_listener(*base::Address::from_ip("127.0.0.1", 0), {}));
  sockaddr_storage native{};
  socklen_t size = sizeof native;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&native), &size);
  const auto address = base::Address::from_native(reinterpret_cast<const sockaddr*>(&native), size);
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::error_from_errno(errno, "fork() failed"));
  if (child == 0) exec_demonstration_backend(listener.get());
  return Backend{.pid = child, .port = address.port()};
}

std::string welcome(const std::string& directory) {
  return fmt::format(
      "\n"
      "Sallyport runs its demonstration, since there is no configuration yet.\n"
      "\n"
      "  https://localhost:8443/   its page shows your request as the backend saw it\n"
      "  http://localhost:8080/    redirects there\n"
      "\n"
      "Try:\n"
      "  curl --cacert {0}/certificate.pem https://localhost:8443/\n"
      "\n"
      "The configuration is {0}/sallyport.conf\n"
      "Your own:  sallyport -c FILE    Ctrl-C ends this.\n"
      "\n",
      directory);
}

int complain(std::string_view what, const base::Error& error) {
  fmt::print(stderr, "sallyport: [emerg] demonstration: {}: {}\n", what, base::describe(error));
  return 1;
}

}  // namespace

std::string demonstration_configuration(const std::string& directory, std::uint16_t backend_port) {
  const bool ipv6 = has_ipv6();
  return fmt::format(
      R"(# Sallyport's demonstration. Written anew at each start: copy it before you change it.
daemon off;

events {{
    worker_connections 1024;
}}

http {{
    server {{
        listen 8080;
{0}        return 301 https://$host:8443$request_uri;
    }}

    server {{
        listen 8443 ssl;
{1}        server_name localhost;
        ssl_certificate     "{2}/certificate.pem";
        ssl_certificate_key "{2}/key.pem";

        location / {{
            proxy_pass http://127.0.0.1:{3};
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Sallyport-Protocol $ssl_protocol;
            proxy_set_header X-Sallyport-Cipher $ssl_cipher;
            proxy_set_header X-Sallyport-Server-Name $ssl_server_name;
        }}
    }}
}}
)",
      ipv6 ? "        listen [::]:8080;\n" : "", ipv6 ? "        listen [::]:8443 ssl;\n" : "",
      directory, backend_port);
}

int run_demonstration(const server::StartOptions& options) {
  const std::string directory = server::below(options.paths.state_directory, "demonstration");
  if (const auto made = server::make_directories(options.paths.state_directory, 0755); !made) {
    return complain(options.paths.state_directory, made.error());
  }
  if (const auto made = server::make_directories(directory, 0755); !made) {
    return complain(directory, made.error());
  }
  if (const auto provided = provide_development_certificate(directory, kNames); !provided) {
    return complain("the certificate", provided.error());
  }
  const auto backend = start_backend();
  if (!backend) return complain("the backend", backend.error());
  server::StartOptions mine = options;
  mine.paths.configuration = mine.load.file = directory + "/sallyport.conf";
  mine.note = welcome(directory);
  int status = 1;
  if (const auto written =
          write_file(mine.load.file, demonstration_configuration(directory, backend->port), 0644)) {
    status = server::supervise(mine);
  } else {
    complain(mine.load.file, written.error());
  }
  ::kill(backend->pid, SIGTERM);
  ::waitpid(backend->pid, nullptr, 0);
  return status;
}

}  // namespace cli
