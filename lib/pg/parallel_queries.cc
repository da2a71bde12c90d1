#include "pg/parallel_queries.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <vector>

#include "pg/text_session.h"
#include "stream/worker_pool.h"

namespace bkp {

void query_in_parallel(const std::string& conninfo, unsigned jobs, std::size_t count,
                       const std::function<void(PgConnection&, std::size_t)>& work) {
  if (count == 0) return;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  const auto run = [&] {
    try {
      PgConnection connection(conninfo);
      set_text_session(connection);
      for (std::size_t i = next++; i < count && !failed; i = next++) work(connection, i);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  };
  {
    const std::size_t connections = std::clamp<std::size_t>(jobs, 1, count);
    WorkerPool pool(static_cast<unsigned>(connections));
    std::vector<std::future<Bytes>> others;
    for (std::size_t i = 1; i < connections; ++i)
      others.push_back(pool.submit([&run] {
        run();
        return Bytes();
      }));
    run();
    for (std::future<Bytes>& other : others) other.wait();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bkp
