"""Exercise 5: find the bug. Seven LSTMs of strangers, each with one mistake.

Each forward below is right. Each backward has one mistake, of a sort that people have published.
Mend it; the forward stays as it is. The authors use different letters, different orders of the
gates, and different layouts, as authors do. The program checks the gradients with the complex step:
it says which of them are wrong, but not why:

    python -m npslstm exercise check exercise_5.py

``forward_k`` returns the outputs, and then what ``backward_k`` needs. ``backward_k`` takes that and
the gradient of each output; it returns dx and a dictionary of all other gradients.
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# 1. x (N, T, D), the outputs are h (N, T, H). Gates i, f, o, g. c starts at zero.


def forward_1(x, h0, Wx, Wh, b):
    H = h0.shape[1]
    h, prev_h, prev_c, steps = [], h0, np.zeros_like(h0), []
    for t in range(x.shape[1]):
        a = x[:, t] @ Wx + prev_h @ Wh + b
        i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), sigmoid(a[:, 2 * H : 3 * H])
        g = np.tanh(a[:, 3 * H :])
        next_c = f * prev_c + i * g
        next_h = o * np.tanh(next_c)
        steps.append((x[:, t], prev_h, prev_c, i, f, o, g, next_c))
        h.append(next_h)
        prev_h, prev_c = next_h, next_c
    return np.stack(h, axis=1), (steps, Wx, Wh)


def backward_1(cache, dh):
    steps, Wx, Wh = cache
    N, T, H = dh.shape
    dx, dWx, dWh, db = np.zeros((N, T, len(Wx))), np.zeros(Wx.shape), np.zeros(Wh.shape), 0
    dprev_h, dprev_c = np.zeros((N, H)), np.zeros((N, H))
    for t in reversed(range(T)):
        x, prev_h, prev_c, i, f, o, g, next_c = steps[t]
        dnext_h = dh[:, t] + dprev_h
        dnext_c = dnext_h * o * (1 - np.tanh(next_c) ** 2)
        da_i = dnext_c * g * i * (1 - i)
        da_f = dnext_c * prev_c * f * (1 - f)
        da_o = dnext_h * np.tanh(next_c) * o * (1 - o)
        da_g = dnext_c * i * (1 - g**2)
        da = np.hstack([da_i, da_f, da_o, da_g])
        dx[:, t], dprev_h, dprev_c = da @ Wx.T, da @ Wh.T, dnext_c * f
        dWx += x.T @ da
        dWh += prev_h.T @ da
        db += da.sum(axis=0)
    return dx, {"h0": dprev_h, "Wx": dWx, "Wh": dWh, "b": db}


# 2. X (T, N, D). One matrix (1 + D + H, 4H) acts on [1, x, h]. Gates i, f, o, g.


def forward_2(X, WLSTM, c0, h0):
    n, b, input_size = X.shape
    d = h0.shape[1]
    Hin, IFOGf, C, Ct, Hout = [], [], [], [], []
    for t in range(n):
        prevh, prevc = (Hout[t - 1], C[t - 1]) if t > 0 else (h0, c0)
        Hin.append(np.hstack([np.ones((b, 1)), X[t], prevh]))
        IFOG = Hin[t] @ WLSTM
        IFOGf.append(np.hstack([sigmoid(IFOG[:, : 3 * d]), np.tanh(IFOG[:, 3 * d :])]))
        i, f, o, g = np.split(IFOGf[t], 4, axis=1)
        C.append(i * g + f * prevc)
        Ct.append(np.tanh(C[t]))
        Hout.append(o * Ct[t])
    return np.array(Hout), (WLSTM, Hin, IFOGf, C, Ct, c0, input_size)


def backward_2(cache, dHout_in):
    WLSTM, Hin, IFOGf, C, Ct, c0, input_size = cache
    n, b, d = dHout_in.shape
    dWLSTM, dX = np.zeros(WLSTM.shape), np.zeros((n, b, input_size))
    dHout, dC = dHout_in.copy(), np.zeros((n, b, d))
    dh0, dc0 = np.zeros((b, d)), np.zeros((b, d))
    for t in reversed(range(1, n)):
        i, f, o, g = np.split(IFOGf[t], 4, axis=1)
        dC[t] += (1 - Ct[t] ** 2) * o * dHout[t]
        prevc = C[t - 1] if t > 0 else c0
        dI, dF, dO, dG = g * dC[t], prevc * dC[t], Ct[t] * dHout[t], i * dC[t]
        dIFOG = [dI * i * (1 - i), dF * f * (1 - f), dO * o * (1 - o), dG * (1 - g**2)]
        dIFOG = np.hstack(dIFOG)
        dWLSTM += Hin[t].T @ dIFOG
        dHin = dIFOG @ WLSTM.T
        dX[t] = dHin[:, 1 : input_size + 1]
        if t > 0:
            dC[t - 1] += f * dC[t]
            dHout[t - 1] += dHin[:, input_size + 1 :]
        else:
            dc0, dh0 = f * dC[t], dHin[:, input_size + 1 :]
    return dX, {"WLSTM": dWLSTM, "c0": dc0, "h0": dh0}


# 3. inputs (N, T, D). Gates i, f, c, o. Both states start at zero.


def forward_3(inputs, kernel, recurrent_kernel, bias):
    units = len(recurrent_kernel)
    h = c = np.zeros((len(inputs), units))
    outputs, tape = [], []
    for x in inputs.swapaxes(0, 1):
        z = x @ kernel + h @ recurrent_kernel + bias
        i, f, c_hat, o = np.split(z, 4, axis=1)
        i, f, c_hat, o = sigmoid(i), sigmoid(f), np.tanh(c_hat), sigmoid(o)
        c_new = f * c + i * c_hat
        tape.append((x, h, c, i, f, c_hat, o, c_new))
        h, c = o * np.tanh(c_new), c_new
        outputs.append(h)
    return np.stack(outputs, axis=1), (tape, kernel, recurrent_kernel)


def backward_3(cache, grad_outputs):
    tape, kernel, recurrent_kernel = cache
    grad_inputs, grad_kernel, grad_recurrent, grad_bias = [], 0, 0, 0
    grad_h, grad_c = 0, 0
    for t in range(len(tape) - 1, -1, -1):
        x, h, c, i, f, c_hat, o, c_new = tape[t]
        tanh_c = np.tanh(c_new)
        grad_h = grad_h + grad_outputs[:, t]
        grad_c = grad_c + grad_h * o * (1 - tanh_c**2)
        z_i = grad_c * c_hat * i * (1 - i)
        z_f = grad_c * c * f
        z_c = grad_c * i * (1 - c_hat**2)
        z_o = grad_h * tanh_c * o * (1 - o)
        z = np.concatenate([z_i, z_f, z_c, z_o], axis=1)
        grad_inputs.insert(0, z @ kernel.T)
        grad_h, grad_c = z @ recurrent_kernel.T, grad_c * f
        grad_kernel = grad_kernel + x.T @ z
        grad_recurrent = grad_recurrent + h.T @ z
        grad_bias = grad_bias + z.sum(axis=0)
    grads = {"kernel": grad_kernel, "recurrent_kernel": grad_recurrent, "bias": grad_bias}
    return np.stack(grad_inputs, axis=1), grads


# 4. x (n_x, m, T): columns are examples. Each gate has a matrix of its own, on [a; x].


def forward_4(x, a0, Wf, bf, Wi, bi, Wc, bc, Wo, bo):
    a, c, caches, outputs = a0, np.zeros(a0.shape), [], []
    for t in range(x.shape[2]):
        concat = np.concatenate([a, x[:, :, t]])
        ft, it = sigmoid(Wf @ concat + bf), sigmoid(Wi @ concat + bi)
        cct, ot = np.tanh(Wc @ concat + bc), sigmoid(Wo @ concat + bo)
        c_next = ft * c + it * cct
        a = ot * np.tanh(c_next)
        caches.append((concat, c, c_next, ft, it, cct, ot))
        outputs.append(a)
        c = c_next
    return np.stack(outputs, axis=2), (caches, Wf, Wi, Wc, Wo)


def backward_4(cache, da):
    caches, Wf, Wi, Wc, Wo = cache
    n_a, m, T = da.shape
    grads = {name: 0 for name in ("Wf", "bf", "Wi", "bi", "Wc", "bc", "Wo", "bo")}
    dx, da_prev, dc_prev = [None] * T, np.zeros((n_a, m)), np.zeros((n_a, m))
    for t in reversed(range(T)):
        concat, c_prev, c_next, ft, it, cct, ot = caches[t]
        da_next = da[:, :, t]
        dc_next = dc_prev + da_next * ot * (1 - np.tanh(c_next) ** 2)
        dft = dc_next * c_prev * ft * (1 - ft)
        dit = dc_next * cct * it * (1 - it)
        dcct = dc_next * it * (1 - cct**2)
        dot = da_next * np.tanh(c_next) * ot * (1 - ot)
        for gate, d in (("f", dft), ("i", dit), ("c", dcct), ("o", dot)):
            grads["W" + gate] = grads["W" + gate] + d @ concat.T
            grads["b" + gate] = grads["b" + gate] + d.sum(axis=1, keepdims=True)
        dconcat = Wf.T @ dft + Wi.T @ dit + Wc.T @ dcct + Wo.T @ dot
        da_prev, dx[t], dc_prev = dconcat[:n_a], dconcat[n_a:], dc_next * ft
    return np.stack(dx, axis=2), {"a0": da_prev, **grads}


# 5. x (T, N, D). PyTorch's layout: weight_ih (4H, D), weight_hh (4H, H), gates i, f, g, o.


def forward_5(x, h_0, c_0, weight_ih, weight_hh, bias_ih, bias_hh):
    h, c, saved = [h_0], [c_0], []
    for x_t in x:
        a = x_t @ weight_ih.T + bias_ih + h[-1] @ weight_hh.T + bias_hh
        i, f, g, o = np.split(a, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        saved.append((i, f, g, o))
    return np.array(h[1:]), h[-1], c[-1], (x, h, c, saved, weight_ih, weight_hh)


def backward_5(cache, doutputs, dh_n, dc_n):
    x, h, c, saved, weight_ih, weight_hh = cache
    dx, dweight_ih, dweight_hh, dbias, dh, dc = [], 0, 0, 0, dh_n, dc_n
    for t in reversed(range(len(x))):
        i, f, g, o = saved[t]
        tanh_c = np.tanh(c[t + 1])
        dh = dh + doutputs[t]
        dc = dc + dh * o * (1 - tanh_c**2)
        da = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2)]
        da = np.concatenate([*da, dh * tanh_c * o * (1 - o)], axis=1)
        dx.insert(0, da @ weight_ih)
        dweight_ih = dweight_ih + da.T @ x[t]
        dweight_hh = dweight_hh + da.T @ h[t + 1]
        dbias = dbias + da.sum(axis=0)
        dh, dc = da @ weight_hh, dc * f
    grads = {"weight_ih": dweight_ih, "weight_hh": dweight_hh, "bias_ih": dbias, "bias_hh": dbias}
    return np.array(dx), {"h_0": dh, "c_0": dc, **grads}


# 6. x (T, N, D). A matrix for x, a matrix for h and a bias for each of f, i, o and ct.


def forward_6(x, Wfh, Wfx, bf, Wih, Wix, bi, Woh, Wox, bo, Wch, Wcx, bc):
    h_list, c_list = [np.zeros((x.shape[1], len(Wfh)))], [np.zeros((x.shape[1], len(Wfh)))]
    gates = []
    for x_t in x:
        h = h_list[-1]
        f, i = sigmoid(h @ Wfh.T + x_t @ Wfx.T + bf), sigmoid(h @ Wih.T + x_t @ Wix.T + bi)
        o, ct = sigmoid(h @ Woh.T + x_t @ Wox.T + bo), np.tanh(h @ Wch.T + x_t @ Wcx.T + bc)
        c_list.append(f * c_list[-1] + i * ct)
        h_list.append(o * np.tanh(c_list[-1]))
        gates.append((f, i, o, ct))
    return np.array(h_list[1:]), (
        x,
        h_list,
        c_list,
        gates,
        (Wfh, Wih, Woh, Wch, Wfx, Wix, Wox, Wcx),
    )


def backward_6(cache, delta_h):
    x, h_list, c_list, gates, (Wfh, Wih, Woh, Wch, Wfx, Wix, Wox, Wcx) = cache
    grads, dx, dh, dc = {}, np.zeros(x.shape), 0, 0
    for t in reversed(range(len(x))):
        f, i, o, ct = gates[t]
        tanh_c = np.tanh(c_list[t + 1])
        dh = dh + delta_h[t]
        dc = dc + dh * o * (1 - tanh_c**2)
        deltas = {"f": dc * c_list[t] * f * (1 - f), "i": dc * ct * i * (1 - i)}
        deltas |= {"o": dh * tanh_c * o * (1 - o), "c": dc * i * (1 - ct**2)}
        for gate, delta in deltas.items():
            parts = {f"W{gate}h": delta.T @ h_list[t], f"W{gate}x": delta.T @ x[t]}
            parts |= {f"b{gate}": deltas["i" if gate == "f" else gate].sum(axis=0)}
            for name, part in parts.items():
                grads[name] = grads.get(name, 0) + part
        f, i, o, c = deltas.values()
        dx[t] = f @ Wfx + i @ Wix + o @ Wox + c @ Wcx
        dh, dc = f @ Wfh + i @ Wih + o @ Woh + c @ Wch, dc * gates[t][0]
    return dx, grads


# 7. x (T, N, D). W (D, 4H) and R (H, 4H), gates z (the candidate), i, f, o. H[t] is h after step t.


def forward_7(x, h_0, W, R, b):
    H, C, acts = [], [], []
    for t in range(len(x)):
        h_prev, c_prev = (H[t - 1], C[t - 1]) if t else (h_0, np.zeros(h_0.shape))
        z, i, f, o = np.split(x[t] @ W + h_prev @ R + b, 4, axis=1)
        z, i, f, o = np.tanh(z), sigmoid(i), sigmoid(f), sigmoid(o)
        C.append(z * i + c_prev * f)
        H.append(np.tanh(C[t]) * o)
        acts.append((z, i, f, o, c_prev))
    return np.array(H), (x, h_0, W, R, H, C, acts)


def backward_7(cache, deltas):
    x, h_0, W, R, H, C, acts = cache
    dx, dW, dR, db, dH, dC = np.zeros(x.shape), 0, 0, 0, np.zeros(h_0.shape), 0
    for t in range(len(x) - 1, -1, -1):
        z, i, f, o, c_prev = acts[t]
        dH = dH + deltas[t]
        dC = dC + dH * o * (1 - np.tanh(C[t]) ** 2)
        dz, di = dC * i * (1 - z**2), dC * z * i * (1 - i)
        df, do = dC * c_prev * f * (1 - f), dH * np.tanh(C[t]) * o * (1 - o)
        d = np.concatenate([dz, di, df, do], axis=1)
        dx[t], dW, db = d @ W.T, dW + x[t].T @ d, db + d.sum(axis=0)
        dR = dR + H[t - 1].T @ d
        dH, dC = d @ R.T, dC * f
    return dx, {"h_0": dH, "W": dW, "R": dR, "b": db}
