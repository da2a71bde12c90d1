#include "policy/table_order.h"

#include <algorithm>
#include <limits>
#include <set>

namespace bkp {
namespace {

constexpr std::size_t kUnseen = std::numeric_limits<std::size_t>::max();

// Tarjan's strongly connected components, without recursion: a chain of tables may be long. From
// child to parent, a component is complete only after all that it refers to: parents come first.
class Components {
 public:
  explicit Components(const std::vector<std::vector<std::size_t>>& parents)
      : parents_(parents),
        number_(parents.size(), kUnseen),
        low_(parents.size(), 0),
        on_stack_(parents.size(), false) {}

  std::vector<std::vector<std::size_t>> find() {
    for (std::size_t table = 0; table < parents_.size(); ++table)
      if (number_[table] == kUnseen) visit(table);
    return std::move(groups_);
  }

 private:
  struct Frame {
    std::size_t table;
    std::size_t next = 0;  // index into its parents
  };

  void enter(std::size_t table, std::vector<Frame>& path) {
    number_[table] = low_[table] = count_++;
    stack_.push_back(table);
    on_stack_[table] = true;
    path.push_back({table});
  }

  void visit(std::size_t start) {
    std::vector<Frame> path;
    enter(start, path);
    while (!path.empty()) {
      Frame& frame = path.back();
      const std::size_t table = frame.table;
      if (frame.next < parents_[table].size()) {
        const std::size_t parent = parents_[table][frame.next++];
        if (number_[parent] == kUnseen)
          enter(parent, path);
        else if (on_stack_[parent])
          low_[table] = std::min(low_[table], number_[parent]);
        continue;
      }
      path.pop_back();
      if (!path.empty()) low_[path.back().table] = std::min(low_[path.back().table], low_[table]);
      if (low_[table] == number_[table]) complete(table);
    }
  }

  void complete(std::size_t first) {
    std::vector<std::size_t> group;
    do {
      group.push_back(stack_.back());
      on_stack_[group.back()] = false;
      stack_.pop_back();
    } while (group.back() != first);
    std::sort(group.begin(), group.end());
    groups_.push_back(std::move(group));
  }

  const std::vector<std::vector<std::size_t>>& parents_;
  std::vector<std::size_t> number_, low_;
  std::vector<bool> on_stack_;
  std::vector<std::size_t> stack_;
  std::size_t count_ = 0;
  std::vector<std::vector<std::size_t>> groups_;
};

}  // namespace

TableOrder order_tables(std::size_t tables, const std::vector<TableReference>& references) {
  std::vector<std::set<std::size_t>> sets(tables);
  TableOrder order;
  std::set<std::size_t> selves;
  for (const TableReference& reference : references) {
    if (reference.child == reference.parent)
      selves.insert(reference.child);
    else
      sets.at(reference.child).insert(reference.parent);
  }
  std::vector<std::vector<std::size_t>> parents;
  for (const auto& set : sets) parents.emplace_back(set.begin(), set.end());
  order.groups = Components(parents).find();
  order.self_references.assign(selves.begin(), selves.end());
  return order;
}

}  // namespace bkp
