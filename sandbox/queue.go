package sandbox

// queue is first in, first out, in blocks of fixed size: it neither copies what
// it holds when it grows nor keeps for long what has left, and a pointer to an
// element stays good for as long as somebody holds it.
type queue[T any] struct {
	blocks [][]T
	head   int // position of the first element in the first block
	size   int
}

const queueBlock = 1024

func (q *queue[T]) len() int { return q.size }

// push appends v and returns where it lies.
func (q *queue[T]) push(v T) *T {
	n := len(q.blocks)
	if n == 0 || len(q.blocks[n-1]) == queueBlock {
		q.blocks = append(q.blocks, make([]T, 0, queueBlock))
		n++
	}
	q.blocks[n-1] = append(q.blocks[n-1], v)
	q.size++
	block := q.blocks[n-1]
	return &block[len(block)-1]
}

// pop removes the first element; ok is false when there is none.
func (q *queue[T]) pop() (v T, ok bool) {
	if q.size == 0 {
		return v, false
	}
	v = q.blocks[0][q.head]
	q.head++
	q.size--
	switch {
	case q.head == queueBlock:
		q.blocks, q.head = q.blocks[1:], 0
	case q.size == 0:
		q.blocks, q.head = nil, 0
	}
	return v, true
}

// at returns the ith element, counted from the first.
func (q *queue[T]) at(i int) *T {
	i += q.head
	return &q.blocks[i/queueBlock][i%queueBlock]
}
