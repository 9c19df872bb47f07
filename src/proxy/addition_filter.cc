#include "proxy/addition_filter.h"

#include <memory>
#include <utility>

#include "proxy/subrequest.h"

namespace proxy {

using http::Then;

async::Task<base::Result<void>> write_part(Context& parent, std::string_view path,
                                           http::BodySink& sink) {
  if (!take_subrequest(parent, path)) co_return base::Result<void>{};
  const auto part =
      std::make_unique<Subrequest>(parent, Subrequest::What{.path = path, .of_page = true}, &sink);
  co_await part->run();
  co_return part->outcome();
}

async::Task<base::Result<void>> AdditionFilter::write(std::string_view piece, Then then,
                                                      io::Patience patience) {
  if (!std::exchange(begun_, true) && !options_.before->empty()) {
    CO_TRY_VOID(co_await write_part(context_, *options_.before, next()));
  }
  if (then != Then::end || options_.after->empty()) {
    co_return co_await next().write(piece, then, patience);
  }
  if (!piece.empty()) CO_TRY_VOID(co_await next().write(piece, Then::more, patience));
  CO_TRY_VOID(co_await write_part(context_, *options_.after, next()));
  co_return co_await next().write({}, Then::end, patience);
}

}  // namespace proxy
