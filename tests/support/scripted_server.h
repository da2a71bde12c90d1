// A TCP server on loopback that does what a test scripts: the way to answers that no honest server
// gives.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace bkp::test {

// One connection, in the server's thread.
class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  // The next request, head and body (by its Content-Length); empty once the client hung up.
  std::string read_request();
  // Only as far as the end of the head.
  std::string read_head();
  void send(std::string_view text);
  // "HTTP/1.1 STATUS", Content-Length, body.
  void answer(int status, std::string_view body, std::string_view headers = "");
  // Ends the connection with a reset.
  void reset();
  // Waits until the client hangs up.
  void wait_for_hangup();

 private:
  bool fill();
  int fd_;
  std::string pending_;
};

class ScriptedServer {
 public:
  // `serve` is called for each connection, in a thread of its own; then the connection is closed.
  explicit ScriptedServer(std::function<void(Connection&)> serve);
  // Hangs up on every client.
  ~ScriptedServer();
  int port() const { return port_; }
  std::string url(std::string_view path = "/") const;
  int connections() const;

 private:
  void accept_loop();

  std::function<void(Connection&)> serve_;
  Fd listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<int> open_;
  int accepted_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// A port of 127.0.0.1 that nothing listens on now.
int free_port();

}  // namespace bkp::test
