#include "sinter/passes/fusion/GroupGraph.h"

#include "llvm/ADT/STLExtras.h"

#include <numeric>

using namespace llvm;

namespace sinter::passes::fusion {

// Of a group's members, that many are looked at to see whether it is known to reach another.
static constexpr size_t fewMembers = 24;

GroupGraph::GroupGraph(ArrayRef<SmallVector<unsigned>> reads)
    : users(reads.size()), sources(reads.size()), parent(reads.size()), members(reads.size()),
      rank(reads.size()), seen(reads.size(), 0) {
  std::iota(parent.begin(), parent.end(), 0u);
  for (unsigned group = 0; group < reads.size(); ++group) {
    members[group].push_back(group);
    sources[group] = reads[group];
    for (unsigned source : reads[group]) users[source].push_back(group);
  }
  placeByDepth();
  walks = {walk(true), walk(false)};
}

// The deeper the later: what a backward pass computes from early values alone stands near those then, and not
// after all that is written between.
void GroupGraph::placeByDepth() {
  std::vector<unsigned> depth(sources.size(), 0), order(sources.size());
  for (unsigned group = 0; group < sources.size(); ++group)
    for (unsigned source : sources[group]) depth[group] = std::max(depth[group], depth[source] + 1);
  std::iota(order.begin(), order.end(), 0u);
  llvm::stable_sort(order, [&](unsigned a, unsigned b) { return depth[a] < depth[b]; });
  for (unsigned place = 0; place < order.size(); ++place) rank[order[place]] = place;
}

GroupGraph::Walk GroupGraph::walk(bool ascending) const {
  constexpr unsigned none = ~0u;
  Walk made{std::vector<unsigned>(users.size(), none), std::vector<unsigned>(users.size(), none)};
  unsigned next = 0;
  SmallVector<std::pair<unsigned, unsigned>>
      path; // a group, and how many of its users were visited
  for (unsigned root = 0; root < users.size(); ++root) {
    if (made.number[root] != none) continue;
    made.number[root] = next++;
    path.push_back({root, 0});
    while (!path.empty()) {
      auto &[group, visited] = path.back();
      const SmallVector<unsigned> &list = users[group];
      if (visited == list.size()) {
        made.last[group] = next - 1;
        path.pop_back();
        continue;
      }
      unsigned user = ascending ? list[visited] : list[list.size() - 1 - visited];
      ++visited;
      if (made.number[user] != none) continue;
      made.number[user] = next++;
      path.push_back({user, 0});
    }
  }
  return made;
}

unsigned GroupGraph::find(unsigned group) const {
  while (parent[group] != group) group = parent[group] = parent[parent[group]];
  return group;
}

ArrayRef<unsigned> GroupGraph::current(Lists &lists, unsigned group) const {
  SmallVector<unsigned> &list = lists[group];
  bool changed = false;
  for (size_t i = 0; i < list.size(); ++i) {
    unsigned now = find(list[i]);
    changed |= now != list[i] || now == group || (i > 0 && list[i - 1] >= now);
    list[i] = now;
  }
  if (!changed) return list;
  llvm::sort(list);
  list.erase(std::unique(list.begin(), list.end()), list.end());
  llvm::erase(list, group);
  return list;
}

bool GroupGraph::isKnownToReach(unsigned from, unsigned to) const {
  for (const Walk &walk : walks)
    for (unsigned source : ArrayRef(members[from]).take_front(fewMembers))
      for (unsigned goal : ArrayRef(members[to]).take_front(fewMembers))
        if (walk.number[source] <= walk.number[goal] && walk.number[goal] <= walk.last[source])
          return true;
  return false;
}

bool GroupGraph::reachesThroughThird(unsigned from, unsigned to) const {
  if (rank[from] > rank[to]) return false;
  ++search;
  SmallVector<unsigned> work;
  auto push = [&](unsigned next) {
    if (next == to || rank[next] > rank[to] || seen[next] == search) return;
    seen[next] = search;
    work.push_back(next);
  };
  llvm::for_each(after(from), push);
  while (!work.empty()) {
    unsigned third = work.pop_back_val();
    if (isKnownToReach(third, to) || llvm::is_contained(after(third), to)) return true;
    llvm::for_each(after(third), push);
  }
  return false;
}

void GroupGraph::merge(unsigned a, unsigned b) {
  placeMerged(a, b);
  parent[b] = a;
  users[a].append(users[b]);
  sources[a].append(sources[b]);
  members[a].append(members[b]);
  users[b].clear();
  sources[b].clear();
  members[b].clear();
}

// Gives `a` its rank as the merged group. After Pearce and Kelly, "A dynamic topological sort algorithm for
// directed acyclic graphs", JEA 2006: only what lies between the two and is connected with them moves.
void GroupGraph::placeMerged(unsigned a, unsigned b) {
  unsigned low = rank[a] < rank[b] ? a : b, high = low == a ? b : a;
  unsigned from = rank[low], to = rank[high];
  auto closure = [&](unsigned start, unsigned other, Lists &lists) {
    ++search;
    SmallVector<unsigned> found, work{start};
    while (!work.empty())
      for (unsigned next : current(lists, work.pop_back_val())) {
        if (next == other || rank[next] < from || rank[next] > to || seen[next] == search) continue;
        seen[next] = search;
        found.push_back(next);
        work.push_back(next);
      }
    llvm::sort(found, [&](unsigned x, unsigned y) { return rank[x] < rank[y]; });
    return found;
  };
  SmallVector<unsigned> later = closure(low, high, users);
  if (later.empty()) {
    rank[a] = to;
    return;
  }
  SmallVector<unsigned> order = closure(high, low, sources);
  if (order.empty()) {
    rank[a] = from;
    return;
  }
  order.push_back(a);
  order.append(later);
  SmallVector<unsigned> places{from, to};
  for (unsigned group : order)
    if (group != a) places.push_back(rank[group]);
  llvm::sort(places);
  for (auto [group, place] : llvm::zip(order, places)) rank[group] = place;
}

} // namespace sinter::passes::fusion
