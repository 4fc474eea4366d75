                self._enough[at] = np.bincount(
                    problem.pairs[1], routing.flow, minlength=problem.shape[1]
