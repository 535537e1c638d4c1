// Several processes: c10d's store and process groups, and what differentiates through them. C functions with the manners of shim.cpp.
// The Rust side is `src/ranks/ffi.rs`.
//
// Gradients are those of one rank's objective L_r, where the objective of all is the mean of them: a gradient here is as many times
// that of the whole as there are ranks, and the mean over the ranks, which `Buckets` takes, is the gradient of the whole.
#define USE_C10D_GLOO
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cstring>
#include <string>
#include <vector>

#include "guarded.h"

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using Group = c10::intrusive_ptr<c10d::Backend>;
using Work = c10::intrusive_ptr<c10d::Work>;

namespace {

// A store and where its server listens.
struct Store {
  c10::intrusive_ptr<c10d::Store> store;
  int port;
};

Group held(AutogradContext* context) {
  auto capsule = context->saved_data["group"].toCapsule();
  return c10::static_intrusive_pointer_cast<c10d::Backend>(capsule);
}

void hold(AutogradContext* context, const Group& group) {
  context->saved_data["group"] = c10::IValue::make_capsule(group);
}

void sum(const Group& group, const Tensor& tensor) {
  std::vector<Tensor> one{tensor};
  c10d::AllreduceOptions options;
  options.reduceOp = c10d::ReduceOp::SUM;
  group->allreduce(one, options)->wait();
}

// `[ranks, ...]` of `[...]`.
Tensor gather(const Group& group, const Tensor& tensor) {
  auto shape = tensor.sizes().vec();
  shape.insert(shape.begin(), group->getSize());
  auto all = at::empty(shape, tensor.options());
  std::vector<std::vector<Tensor>> parts{all.unbind(0)};
  std::vector<Tensor> one{tensor.contiguous()};
  group->allgather(parts, one)->wait();
  return all;
}

// The rows of all ranks, in their order.
struct Rows : torch::autograd::Function<Rows> {
  static Tensor forward(AutogradContext* context, const Tensor& rows, const Group& group) {
    hold(context, group);
    return gather(group, rows).flatten(0, 1);
  }

  // What all ranks' objectives say of the rows of this one.
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto group = held(context);
    auto gradient = gradients[0].contiguous().clone();
    sum(group, gradient);
    const auto own = gradient.size(0) / group->getSize();
    return {gradient.narrow(0, group->getRank() * own, own), Tensor()};
  }
};

// The mean over the ranks. The objective of each has its own value in it once, so the gradient goes through.
struct Mean : torch::autograd::Function<Mean> {
  static Tensor forward(AutogradContext*, const Tensor& value, const Group& group) {
    auto mean = value.contiguous().clone();
    sum(group, mean);
    return mean.div_(group->getSize());
  }

  static variable_list backward(AutogradContext*, variable_list gradients) { return {gradients[0], Tensor()}; }
};

// BatchNorm over the rows of all ranks, of which each has as many.
struct Norm : torch::autograd::Function<Norm> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        Tensor running_mean, Tensor running_variance, double momentum, double eps, const Group& group) {
    // What the statistics of a rank are added to; only their type and place matter.
    auto none = at::zeros_like(running_mean);
    auto [own_mean, own_variance] = at::batch_norm_update_stats(x, none, none.clone(), 0.0);
    const auto all = gather(group, at::stack({own_mean, own_variance})); // [ranks, 2, C]
    const auto means = all.select(1, 0), variances = all.select(1, 1);
    auto mean = means.mean(0);
    auto variance = variances.mean(0).add_((means - mean).square().mean(0));
    const double rows = static_cast<double>(x.numel() / x.size(1)) * group->getSize();
    running_mean.mul_(1.0 - momentum).add_(mean, momentum);
    running_variance.mul_(1.0 - momentum).add_(variance, momentum * rows / (rows - 1.0));
    context->save_for_backward({x, weight, mean, variance});
    context->saved_data["eps"] = eps;
    hold(context, group);
    return std::get<0>(at::native_batch_norm(x, weight, bias, mean, variance, /*training=*/false, 0.0, eps));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &mean = saved[2], &variance = saved[3];
    const auto eps = context->saved_data["eps"].toDouble();
    const auto group = held(context);
    // With the statistics as constants first, in one kernel; the sums of it are also what goes through the statistics.
    const auto dy = gradients[0].contiguous(x.suggest_memory_format());
    auto [dx, dweight, dbias] = at::native_batch_norm_backward(dy, x, weight, mean, variance, {}, {}, /*train=*/false, eps,
                                                               {true, true, true});
    auto sums = at::stack({dweight, dbias}).to(mean.scalar_type());
    sum(group, sums);
    const double rows = static_cast<double>(x.numel() / x.size(1)) * group->getSize();
    const auto scale = (variance + eps).rsqrt();
    const auto slope = scale * scale * weight * sums[0] / -rows;
    const auto offset = scale * weight * sums[1] / -rows - slope * mean;
    std::vector<int64_t> shape(x.dim(), 1);
    shape[1] = x.size(1);
    const auto along = [&](const Tensor& channels) { return channels.to(dx.scalar_type()).view(shape); };
    dx = dx.add_(along(offset)).addcmul_(x, along(slope));
    return {dx, dweight, dbias, Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

// The mean of the leaves' gradients over the ranks, in buckets that go on their way while the backward pass is still running.
class Buckets {
 public:
  Buckets(Group group, std::vector<Tensor> leaves) : group_(std::move(group)), leaves_(std::move(leaves)) {
    slots_.resize(leaves_.size());
    has_come_.resize(leaves_.size());
  }

  size_t size() const { return leaves_.size(); }
  const std::vector<size_t>& came() const { return came_; }
  const Tensor& leaf(size_t i) const { return leaves_[i]; }

  // Lays the leaves out in buckets, in this order; those left out have no gradient.
  void lay(const std::vector<size_t>& order, size_t first_bytes, size_t bytes) {
    buckets_.clear();
    slots_.assign(leaves_.size(), Slot{});
    size_t room = 0;
    for (const size_t i : order) {
      const size_t need = leaves_[i].nbytes();
      const bool fits = !buckets_.empty() && need <= room && buckets_.back().flat_options.dtype() == leaves_[i].dtype();
      if (!fits) {
        room = buckets_.empty() ? first_bytes : bytes;
        buckets_.push_back({{}, leaves_[i].options().requires_grad(false)});
      }
      room -= std::min(room, need);
      slots_[i].bucket = buckets_.size();
      buckets_.back().leaves.push_back(i);
    }
    for (auto& bucket : buckets_) {
      int64_t values = 0, at = 0;
      for (const size_t i : bucket.leaves) values += leaves_[i].numel();
      bucket.flat = at::empty({values}, bucket.flat_options);
      for (const size_t i : bucket.leaves) {
        const auto& leaf = leaves_[i];
        const auto own = bucket.flat.narrow(0, at, leaf.numel());
        // In the order of the leaf's own memory, so that a fused kernel may walk through both.
        slots_[i].gradient = leaf.is_non_overlapping_and_dense()
                                 ? own.as_strided(leaf.sizes(), leaf.strides(), own.storage_offset())
                                 : own.view(leaf.sizes());
        at += leaf.numel();
      }
    }
  }

  // Before a backward pass.
  void begin() {
    for (auto& bucket : buckets_) {
      bucket.missing = bucket.leaves.size();
      bucket.work.reset();
    }
    std::fill(has_come_.begin(), has_come_.end(), false);
    came_.clear();
    next_ = 0;
    is_open_ = true;
  }

  // The gradient of a leaf is whole.
  void take(size_t i, const Tensor& gradient) {
    if (!is_open_) return;
    TORCH_CHECK(!has_come_[i], "the gradient of parameter ", i, " came twice");
    const auto& slot = slots_[i];
    TORCH_CHECK(slot.bucket > 0, "parameter ", i, " has a gradient, and had none in the first step");
    at::NoGradGuard no_grad;
    slot.gradient.copy_(gradient);
    has_come_[i] = true;
    came_.push_back(i);
    buckets_[slot.bucket - 1].missing -= 1;
    while (next_ < buckets_.size() && buckets_[next_].missing == 0) send(buckets_[next_++]);
  }

  // After the pass: sends what is left, and waits for all. A leaf whose gradient did not come has none.
  std::vector<Tensor> end() {
    at::NoGradGuard no_grad;
    is_open_ = false;
    for (; next_ < buckets_.size(); ++next_) {
      for (const size_t i : buckets_[next_].leaves) {
        if (!has_come_[i]) slots_[i].gradient.zero_();
      }
      send(buckets_[next_]);
    }
    for (auto& bucket : buckets_) bucket.work->wait();
    std::vector<Tensor> gradients;
    for (size_t i = 0; i < leaves_.size(); ++i) gradients.push_back(has_come_[i] ? slots_[i].gradient : Tensor());
    return gradients;
  }

 private:
  struct Slot {
    size_t bucket = 0; // from 1; 0 is none
    Tensor gradient;
  };
  struct Bucket {
    std::vector<size_t> leaves;
    at::TensorOptions flat_options;
    Tensor flat;
    size_t missing = 0;
    Work work;
  };

  void send(Bucket& bucket) {
    bucket.flat.div_(group_->getSize());
    std::vector<Tensor> one{bucket.flat};
    bucket.work = group_->allreduce(one);
  }

  Group group_;
  std::vector<Tensor> leaves_;
  std::vector<Slot> slots_;
  std::vector<Bucket> buckets_;
  std::vector<bool> has_come_;
  std::vector<size_t> came_;
  size_t next_ = 0;
  bool is_open_ = false;
};

// Buckets, and their hooks on the leaves.
struct Hooked {
  std::shared_ptr<Buckets> buckets;
  std::vector<unsigned> hooks;
};

} // namespace

extern "C" {

// Opens the store at `host:port`: its server, at a free port if that is 0, or a client. Keys get `prefix` in front.
char* shim_store_open(const char* host, uint16_t port, bool serves, const char* prefix, int64_t timeout_ms, Store** opened) {
  return guarded([&] {
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = serves;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(timeout_ms);
    auto tcp = c10::make_intrusive<c10d::TCPStore>(host, options);
    const int listens = tcp->getPort();
    c10::intrusive_ptr<c10d::Store> store = tcp;
    if (*prefix) store = c10::make_intrusive<c10d::PrefixStore>(prefix, store);
    *opened = new Store{store, listens};
  });
}

int shim_store_port(const Store* of) { return of->port; }

void shim_store_close(Store* of) { delete of; }

char* shim_store_set(Store* of, const char* key, const char* value) {
  return guarded([&] { of->store->set(key, std::vector<uint8_t>(value, value + strlen(value))); });
}

// Waits for the value of a key, a text to be given back with `shim_free`; null where it did not come in time.
char* shim_store_get(Store* of, const char* key, int64_t timeout_ms, char** value) {
  return guarded([&] {
    *value = nullptr;
    try {
      of->store->wait({key}, std::chrono::milliseconds(timeout_ms));
    } catch (const c10::DistStoreError&) {
      return;
    }
    const auto bytes = of->store->get(key);
    *value = strndup(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
}

// The group of this rank through Gloo. `place` is a host whose address the others reach, or a network interface, or empty: then
// what the name of this machine resolves to.
char* shim_group_gloo(Store* over, int rank, int ranks, const char* place, bool is_interface, int64_t timeout_ms, Group** joined) {
  return guarded([&] {
    using Gloo = c10d::ProcessGroupGloo;
    auto options = Gloo::Options::create(std::chrono::milliseconds(timeout_ms));
    options->devices.push_back(is_interface ? Gloo::createDeviceForInterface(place)
                               : *place     ? Gloo::createDeviceForHostname(place)
                                            : Gloo::createDefaultDevice());
    // Gradients may be under way while statistics are asked for.
    options->threads = 4;
    *joined = new Group(c10::make_intrusive<Gloo>(over->store->clone(), rank, ranks, options));
  });
}

c10::intrusive_ptr<c10d::Store>* shim_store_inner(Store* of) { return &of->store; }

void shim_group_leave(Group* group) { delete group; }

char* shim_group_abort(Group* group) {
  return guarded([&] { (*group)->abort(); });
}

// In place.
char* shim_group_sum(Group* group, Tensor* tensor) {
  return guarded([&] { sum(*group, *tensor); });
}

// In place, with the values of rank `from`.
char* shim_group_broadcast(Group* group, Tensor* tensor, int from) {
  return guarded([&] {
    std::vector<Tensor> one{*tensor};
    c10d::BroadcastOptions options;
    options.rootRank = from;
    (*group)->broadcast(one, options)->wait();
  });
}

char* shim_group_gather(Group* group, Tensor* tensor, Tensor** all) {
  return guarded([&] { *all = new Tensor(gather(*group, *tensor)); });
}

char* shim_group_barrier(Group* group) {
  return guarded([&] { (*group)->barrier()->wait(); });
}

char* shim_rows(Group* group, Tensor* rows, Tensor** all) {
  return guarded([&] { *all = new Tensor(Rows::apply(*rows, *group)); });
}

char* shim_mean(Group* group, Tensor* value, Tensor** mean) {
  return guarded([&] { *mean = new Tensor(Mean::apply(*value, *group)); });
}

char* shim_norm(Group* group, Tensor* x, Tensor* weight, Tensor* bias, Tensor* running_mean, Tensor* running_variance,
                double momentum, double eps, Tensor** normalised) {
  return guarded([&] {
    *normalised = new Tensor(Norm::apply(*x, *weight, *bias, *running_mean, *running_variance, momentum, eps, *group));
  });
}

char* shim_buckets_new(Group* group, Tensor* const* leaves, size_t n, Hooked** made) {
  return guarded([&] {
    auto buckets = std::make_shared<Buckets>(*group, list(leaves, n));
    auto hooked = std::make_unique<Hooked>(Hooked{buckets, {}});
    for (size_t i = 0; i < n; ++i) {
      hooked->hooks.push_back(buckets->leaf(i).register_hook([buckets, i](const Tensor& gradient) { buckets->take(i, gradient); }));
    }
    *made = hooked.release();
  });
}

void shim_buckets_free(Hooked* hooked) {
  try {
    for (size_t i = 0; i < hooked->hooks.size(); ++i) hooked->buckets->leaf(i).remove_hook(hooked->hooks[i]);
  } catch (...) { // a hook that stays finds its buckets closed
  }
  delete hooked;
}

char* shim_buckets_lay(Hooked* hooked, const size_t* order, size_t n, size_t first_bytes, size_t bytes) {
  return guarded([&] { hooked->buckets->lay(std::vector<size_t>(order, order + n), first_bytes, bytes); });
}

void shim_buckets_begin(Hooked* hooked) { hooked->buckets->begin(); }

// Writes a gradient for each leaf, undefined ones among them.
char* shim_buckets_end(Hooked* hooked, Tensor** gradients) {
  return guarded([&] {
    auto all = hooked->buckets->end();
    for (size_t i = 0; i < all.size(); ++i) gradients[i] = new Tensor(all[i]);
  });
}

// The leaves in the order in which their gradients came, at most as many as there are leaves.
size_t shim_buckets_came(const Hooked* hooked, size_t* order) {
  const auto& came = hooked->buckets->came();
  std::copy(came.begin(), came.end(), order);
  return came.size();
}

} // extern "C"
