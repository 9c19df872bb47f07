// Memory for coroutine frames, from free lists of the thread: starting a task costs a few
// instructions instead of a malloc. A frame is freed on the thread that made it (tasks do not
// migrate). Sanitizer builds bypass the lists, so that they see every use after free.
#pragma once

#include <cstddef>

namespace async {

[[nodiscard]] void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

}  // namespace async
