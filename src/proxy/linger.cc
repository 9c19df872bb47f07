#include "proxy/linger.h"

#include "base/clock.h"
#include "io/buffer.h"
#include "io/socket.h"

namespace proxy {

using base::ErrorCode;
using observe::Counter;

// A client that is read for longer than this at once lets the others have a turn.
constexpr std::size_t kLingerTurn = 256 * 1024;

// A client may go on sending after we have answered for the last time: closing at once would reset
// the connection, and the client might lose the answer.
async::Task<void> linger(io::Stream& stream, const ClientOptions& options,
                         observe::Counters& counters, std::size_t most) {
  if (*options.lingering_close == LingeringClose::off) co_return;
  stream.shutdown_write();
  io::EventLoop& loop = stream.loop();
  const base::Deadline end = loop.now() + *options.lingering_time;
  io::Buffer buffer(io::Buffer::kLarge / 4);
  for (std::size_t turn = 0; loop.now() < end;) {
    buffer.clear();
    const base::Deadline deadline = io::Patience(end, *options.lingering_timeout).until(loop.now());
    const auto count = co_await io::read(stream, buffer.writable(), deadline);
    if ((!count && !count.error().is(ErrorCode::timed_out)) || (count && *count == 0)) co_return;
    if (!count && deadline < end) co_return;  // lingering_timeout
    if (count.value_or(0) > most) co_return;
    most -= count.value_or(0);
    turn += count.value_or(0);
    if (turn < kLingerTurn) continue;
    turn = 0;
    if (!co_await io::sleep_until(loop, loop.now() + io::TimerWheel::kTick)) co_return;
  }
  counters.add(Counter::limit_lingering_time);
}

}  // namespace proxy
