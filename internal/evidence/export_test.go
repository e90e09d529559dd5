package evidence

import "context"

// KeepNow keeps the fold without waiting until it is worth it.
func (s *Service) KeepNow(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keep(ctx)
}
