#include "proxy/files.h"

#include "content/open_files.h"

namespace proxy {

base::Result<content::File> open_file(Context& context, const content::StaticPlan& plan,
                                      const content::FilePath& path) {
  const auto& options = context.level->get<content::OpenFileOptions>();
  content::OpenFiles* const files = context.site.open_files(options);
  if (files == nullptr) return context.site.roots().open(path, plan.links);
  return files->open(context.site.roots(), path, plan.links, options);
}

base::Result<content::FileStatus> look_at_file(Context& context, const content::StaticPlan& plan,
                                               const content::FilePath& path) {
  const auto& options = context.level->get<content::OpenFileOptions>();
  content::OpenFiles* const files = context.site.open_files(options);
  if (files == nullptr) return context.site.roots().look(path, plan.links);
  return files->look(context.site.roots(), path, plan.links, options);
}

}  // namespace proxy
